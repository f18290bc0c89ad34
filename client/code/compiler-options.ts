import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { STARTED_IN, runFlags } from "./run-flags.ts"

/** Options of a tsconfig that change the text which Bun makes of a function or a class. */
export type CompilerOptions = Readonly<Record<string, unknown>>

/**
 * The options that Bun may have applied to the file at `path`, of which it has made `code`; the likeliest first. A run applies
 * those of the folder in which it was started to all files, or none. A bundle has those of each file, the nearest above it.
 */
export function compilerOptionsFor(path: string, code: string): readonly CompilerOptions[] {
  const jsx = jsxIn(code)
  ofRun ??= readIn(STARTED_IN) ?? {}
  const found = [ofRun, optionsIn(dirname(path)), {}]
  const all = found.map((options) => ({ ...runFlags().jsx, ...options }))
  const distinct = new Map(all.map((options) => [JSON.stringify(options), options]))
  return [...distinct.values()].map((options) => ({ ...options, ...jsx }))
}

let ofRun: CompilerOptions | undefined

/**
 * Names of the file that its JSX uses in a bundle: `h`, or `React` of `React.createElement`. None where Bun imports what JSX needs,
 * as it does unless the tsconfig or a comment in the file asks for calls of a factory.
 */
export function jsxFactoriesOf(path: string, source: string): ReadonlySet<string> {
  const options = { ...runFlags().jsx, ...optionsIn(dirname(path)) }
  const said = (pragma: string) =>
    new RegExp(`^\\s*/?[*/][^\\n]*@${pragma}\\s+([\\w$.]+)`, "m").exec(source)?.[1]
  const isClassic =
    said("jsxRuntime") === "classic" || (said("jsxRuntime") ?? options["jsx"]) === "react"
  if (!isClassic) return new Set()
  const element = said("jsx") ?? text(options["jsxFactory"]) ?? "React.createElement"
  const fragment = said("jsxFrag") ?? text(options["jsxFragmentFactory"]) ?? "React.Fragment"
  return new Set([element, fragment].map((name) => name.split(".", 1)[0] ?? ""))
}

/** Besides the tsconfig NODE_ENV decides about it, as it was when Bun read the file. The helpers that Bun calls tell. */
function jsxIn(code: string): CompilerOptions {
  if (/\bjsxDEV_[0-9a-z]{8}\b/.test(code)) return { jsx: "react-jsxdev" }
  return /\bjsxs?_[0-9a-z]{8}\b/.test(code) ? { jsx: "react-jsx" } : {}
}

/** Of a folder: of the nearest tsconfig.json or jsconfig.json, with all that it extends. Kept: Bun reads it once as well. */
function optionsIn(folder: string): CompilerOptions {
  const known = byFolder.get(folder)
  if (known !== undefined) return known
  const parent = dirname(folder)
  const options = readIn(folder) ?? (parent === folder ? {} : optionsIn(parent))
  byFolder.set(folder, options)
  return options
}

const byFolder = new Map<string, CompilerOptions>()

/** Undefined where there is no such file; no options where it cannot be read, about which Bun has had its say. */
function readIn(folder: string): CompilerOptions | undefined {
  const { tsconfig } = runFlags()
  const beside = ["tsconfig.json", "jsconfig.json"].map((name) => join(folder, name))
  for (const path of tsconfig === undefined ? beside : [tsconfig]) {
    try {
      return readOptions(path, EXTENDED_MAX)
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) return {}
    }
  }
  return undefined
}

function readOptions(path: string, extendedMax: number): CompilerOptions {
  const { extends: bases, compilerOptions } = objectOf(Bun.JSONC.parse(readFileSync(path, "utf8")))
  const options: Record<string, unknown> = {}
  for (const base of extendedMax === 0 ? [] : [bases].flat()) {
    if (typeof base === "string") Object.assign(options, readBase(base, path, extendedMax - 1))
  }
  for (const [name, value] of Object.entries(objectOf(compilerOptions))) {
    if (THAT_CHANGE_TEXT.has(name)) options[name] = value
  }
  return options
}

/** What is extended may lack its ending, or be in a package. */
function readBase(base: string, path: string, extendedMax: number): CompilerOptions {
  for (const candidate of [base, `${base}.json`]) {
    try {
      return readOptions(Bun.resolveSync(candidate, dirname(path)), extendedMax)
    } catch {
      // The next one, or none: Bun has said so.
    }
  }
  return {}
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {}
}

const THAT_CHANGE_TEXT: ReadonlySet<string> = new Set([
  "emitDecoratorMetadata",
  "experimentalDecorators",
  "jsx",
  "jsxFactory",
  "jsxFragmentFactory",
  "useDefineForClassFields",
])
const EXTENDED_MAX = 8
