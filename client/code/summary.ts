import { statSync } from "node:fs"
import { firstEffectOfFile } from "./effects.ts"
import { nameOf } from "./find-value.ts"
import { positionAt } from "./lines.ts"
import type { Node } from "./parse.ts"
import { type SourceFile, readSourceFile } from "./source-file.ts"

/**
 * What a bundle has to know of a file that is imported. It is kept as long as the file is the same, because a program that
 * sends many functions has them import the same files.
 */
export interface Summary {
  readonly path: string
  readonly dialect: SourceFile["dialect"]
  /** What the file imports, by specifier; `*` where it takes the whole namespace. */
  readonly imports: readonly (readonly [string, ReadonlySet<string>])[]
  /** Line of the first thing that the file does when it is loaded. */
  readonly effectLine: number | undefined
}

/** Undefined for what is no program, and for a file that cannot be read: the bundler will say why. */
export async function summaryOf(path: string): Promise<Summary | undefined> {
  const stamp = stampOf(path)
  const before = known.get(path)
  if (before?.stamp === stamp) return before.summary
  const source = await readSourceFile(path).catch(() => undefined)
  if (source === undefined) return undefined
  const effect = firstEffectOfFile(source)
  const effectLine = effect === undefined ? undefined : positionAt(source.text, effect).line
  const imports = importsOf(source.program)
  const summary = { path, dialect: source.dialect, imports, effectLine }
  if (known.size >= SUMMARIES_MAX) known.clear()
  known.set(path, { stamp, summary })
  return summary
}

const SUMMARIES_MAX = 4_096
const known = new Map<string, { readonly stamp: string; readonly summary: Summary }>()

/** Changes when the file does, as far as the file system tells. */
export function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true })
  return stat === undefined ? "" : `${stat.mtimeNs} ${stat.size} ${stat.ino}`
}

function importsOf(program: Node): readonly (readonly [string, ReadonlySet<string>])[] {
  if (program.type !== "Program") return []
  const found: [string, Set<string>][] = []
  for (const statement of program.body) {
    if (statement.type === "ImportDeclaration" && statement.importKind !== "type") {
      const names = statement.specifiers.map((one) => {
        if (one.type === "ImportNamespaceSpecifier") return "*"
        return one.type === "ImportSpecifier" ? nameOf(one.imported) : "default"
      })
      found.push([statement.source.value, new Set(names)])
    } else if (statement.type === "ExportAllDeclaration") {
      found.push([statement.source.value, new Set("*")])
    } else if (statement.type === "ExportNamedDeclaration" && statement.source !== null) {
      const names = statement.specifiers.map(({ local }) => nameOf(local))
      found.push([statement.source.value, new Set(names)])
    }
  }
  return found
}
