import type { FunctionInfo } from "../../protocol/function-spec.ts"
import type { Style } from "../style.ts"
import { printableLine } from "./printable.ts"
import { renderTable } from "./table.ts"

/** Functions under the addresses by which `bunhouse call` knows them. */
export function renderFunctions(functions: readonly FunctionInfo[], style: Style): string {
  const sorted = functions.toSorted((a, b) => compare(a.env, b.env) || compare(a.name, b.name))
  return renderTable(
    [
      {
        heading: "FUNCTION",
        cells: sorted.map(({ env, name }) => printableLine(`${env}/${name}`)),
        paint: style.bold,
      },
      { heading: "KIND", cells: sorted.map(({ kind }) => kind) },
      { heading: "RUNS ON", cells: sorted.map(({ run }) => run) },
      { heading: "VERSION", cells: sorted.map(({ version }) => printableLine(version)) },
    ],
    style.dim,
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
