import { readFileSync } from "node:fs"
import { resolve } from "node:path"

/** What a run was told about finding and reading source, on its command line or in its bunfig.toml. */
export interface RunFlags {
  /** What stands for a name, by the name. */
  readonly define: Readonly<Record<string, string>>
  /** As in a tsconfig, which goes before it. */
  readonly jsx: Readonly<
    Partial<Record<"jsx" | "jsxFactory" | "jsxFragmentFactory" | "jsxImportSource", string>>
  >
  /** Path of the one that is read in place of all others. */
  readonly tsconfig: string | undefined
  /** By which packages choose their files. */
  readonly conditions: readonly string[]
}

/** Of this run. Bun tells nothing of the command line of `bun test`. */
export function runFlags(): RunFlags {
  known ??= flagsOf(process.execArgv, STARTED_IN)
  return known
}

/** The current folder may be another by now. */
export const STARTED_IN = process.cwd()
let known: RunFlags | undefined

/** Bun puts something else in the place of the name, or of some of its members. */
export function isDefined(name: string): boolean {
  return Object.keys(runFlags().define).some((one) => one.split(".", 1)[0] === name)
}

/** `folder` is where the run was started. */
export function flagsOf(args: readonly string[], folder: string): RunFlags {
  const given = valuesIn(args)
  const bunfig = readBunfig(resolve(folder, given("--config", "-c").at(-1) ?? "bunfig.toml"))
  const defined = given("--define", "-d").flatMap((text) => {
    const [, name, value] = /^([^:=]+)[:=](.*)$/s.exec(text) ?? []
    return name === undefined || value === undefined ? [] : [[name, value] as const]
  })
  const said = (flag: string, name: string) => given(flag).at(-1) ?? bunfig[name]
  const tsconfig = given("--tsconfig-override").at(-1)
  const runtime = said("--jsx-runtime", "jsx")
  return {
    define: texts(defined.length > 0 ? Object.fromEntries(defined) : bunfig["define"]),
    jsx: texts({
      jsx: runtime === "classic" ? "react" : runtime === "automatic" ? "react-jsx" : runtime,
      jsxFactory: said("--jsx-factory", "jsxFactory"),
      jsxFragmentFactory: said("--jsx-fragment", "jsxFragment"),
      jsxImportSource: said("--jsx-import-source", "jsxImportSource"),
    }),
    tsconfig: tsconfig === undefined ? undefined : resolve(folder, tsconfig),
    conditions: given("--conditions"),
  }
}

/** `--flag value` and `--flag=value`; `-fvalue` of short ones. */
function valuesIn(args: readonly string[]): (...flags: readonly string[]) => readonly string[] {
  return (...flags) =>
    args.flatMap((arg, at) => {
      const flag = flags.find((one) => arg === one || arg.startsWith(glued(one)))
      if (flag === undefined) return []
      const value = arg === flag ? args[at + 1] : arg.slice(glued(flag).length).replace(/^=/, "")
      return value === undefined ? [] : [value]
    })
}

function glued(flag: string): string {
  return flag.startsWith("--") ? `${flag}=` : flag
}

function readBunfig(path: string): Readonly<Record<string, unknown>> {
  try {
    return { ...Bun.TOML.parse(readFileSync(path, "utf8")) }
  } catch {
    // There is none, or Bun has said what is wrong with it.
    return {}
  }
}

function texts(all: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(typeof all === "object" && all !== null ? all : {})
  return Object.fromEntries(
    entries.flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])),
  )
}
