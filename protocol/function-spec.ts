import { Fields } from "./fields.ts"
import { BunhouseError } from "./errors.ts"
import { CALL_TIMEOUT_MS_DEFAULT, CALL_TIMEOUT_MS_MAX, SOURCE_BYTES_MAX } from "./limits.ts"
import { checkLength, type Member, readMembers } from "./members.ts"
import { checkName } from "./names.ts"

/** The kind of a function decides how it is called by default. */
export const FUNCTION_KINDS = ["async", "sync", "asyncGenerator", "syncGenerator"] as const
export type FunctionKind = (typeof FUNCTION_KINDS)[number]

const SENT_KINDS = [...FUNCTION_KINDS, "class"] as const
const CODE_KINDS = [...SENT_KINDS, "module"] as const
/** What a name of an env stands for: a function of some kind, a class, or a module. */
type CodeKind = (typeof CODE_KINDS)[number]

/** Where an env runs a function: on its event loop, or on a thread. */
export const PLACES = ["loop", "thread"] as const
export type Place = (typeof PLACES)[number]

/** What a daemon knows of a function, class or module without its code. */
export interface FunctionInfo {
  readonly env: string
  readonly name: string
  readonly kind: CodeKind
  /** With classes: where instances live, and where static methods run. */
  readonly run: Place
  /** Hash of code and calling facts: equal versions behave alike. */
  readonly version: string
  /** Deadline of calls that name none, by the spec of the env; in what a daemon tells, not in what it keeps. */
  readonly timeoutMs?: number
  /** Which export of the module it is. Default `default`. */
  readonly export?: string
  /** With classes: the methods. */
  readonly members?: readonly Member[]
  /** With modules: what it exports; functions and classes among it are in the env as `<module>.<export>`. */
  readonly exports?: readonly ModuleExport[]
}

/** What a module exports under a name. A refused one cannot be used from afar, and `reason` says why. */
export type ModuleExport =
  | { readonly name: string; readonly kind: FunctionKind; readonly run: Place }
  | {
      readonly name: string
      readonly kind: "class"
      readonly run: Place
      readonly members: readonly Member[]
    }
  | { readonly name: string; readonly kind: "value" }
  | { readonly name: string; readonly kind: "refused"; readonly reason: string }

/**
 * A function or class as it is sent: the code is an ES module whose default export it is. Its last line may be a source
 * map, which names the author's own files: it is no part of the version.
 */
export interface FunctionSpec extends Omit<
  FunctionInfo,
  "version" | "export" | "exports" | "timeoutMs"
> {
  readonly code: string
}

/** A module as it is sent. */
export interface ModuleSpec {
  readonly env: string
  readonly name: string
  readonly code: string
}

/** Reads a function or class that a client sends. Throws INVALID_ARGUMENT or PAYLOAD_TOO_LARGE. */
export function readFunctionSpec(env: string, name: string, input: unknown): FunctionSpec {
  checkName("env", env)
  checkName("function", name)
  const fields = new Fields(`the function ${JSON.stringify(`${env}/${name}`)}`, input)
  const kind = fields.oneOf("kind", SENT_KINDS)
  const spec: FunctionSpec = {
    env,
    name,
    kind,
    run: fields.oneOf("run", PLACES),
    code: fields.text("code"),
    ...(kind === "class" && { members: readMembers(fields.list("members")) }),
  }
  fields.done()
  checkCodeSize(spec)
  return spec
}

/** Reads a module that a client sends. Throws INVALID_ARGUMENT or PAYLOAD_TOO_LARGE. */
export function readModuleSpec(env: string, name: string, input: unknown): ModuleSpec {
  checkName("env", env)
  checkName("module", name)
  const fields = new Fields(`the module ${JSON.stringify(`${env}/${name}`)}`, input)
  const spec = { env, name, code: fields.text("code") }
  fields.done()
  checkCodeSize(spec)
  return spec
}

/** Reads what the store or a daemon says of a function. */
export function readFunctionInfo(input: unknown): FunctionInfo {
  const fields = new Fields("the record of a function", input)
  const kind = fields.oneOf("kind", CODE_KINDS)
  const exported = fields.optionalText("export")
  const timeoutMs = fields.integer("timeoutMs", 0, CALL_TIMEOUT_MS_MAX, CALL_TIMEOUT_MS_DEFAULT)
  const info: FunctionInfo = {
    env: fields.text("env"),
    name: fields.text("name"),
    kind,
    run: fields.oneOf("run", PLACES),
    version: fields.text("version"),
    ...(timeoutMs !== CALL_TIMEOUT_MS_DEFAULT && { timeoutMs }),
    ...(exported !== undefined && { export: exported }),
    ...(kind === "class" && { members: readMembers(fields.list("members")) }),
    ...(kind === "module" && { exports: readExports(fields.list("exports")) }),
  }
  checkName("env", info.env)
  checkName("function", info.name)
  return info
}

/** Reads the exports of a module from a wire. Throws INVALID_ARGUMENT. */
export function readExports(list: readonly unknown[]): ModuleExport[] {
  checkLength("the exports of a module", list)
  return list.map(readExport)
}

function readExport(input: unknown): ModuleExport {
  const fields = new Fields("an export of a module", input)
  const name = fields.text("name")
  const kind = fields.oneOf("kind", EXPORT_KINDS)
  switch (kind) {
    case "async":
    case "sync":
    case "asyncGenerator":
    case "syncGenerator":
      return { name, kind, run: fields.oneOf("run", PLACES) }
    case "class": {
      const members = readMembers(fields.list("members"))
      return { name, kind, run: fields.oneOf("run", PLACES), members }
    }
    case "value":
      return { name, kind }
    case "refused":
      return { name, kind, reason: fields.text("reason") }
    default:
      return kind satisfies never
  }
}

const EXPORT_KINDS = [...SENT_KINDS, "value", "refused"] as const

/** The functions and classes that a module puts into its env. */
export function exportInfos(info: FunctionInfo): FunctionInfo[] {
  return (info.exports ?? []).flatMap((exported) => exportInfo(info, exported) ?? [])
}

/** A function or class that a module exports, as the env knows it; undefined for exports that are neither. */
export function exportInfo(module: FunctionInfo, exported: ModuleExport): FunctionInfo | undefined {
  if (exported.kind === "value" || exported.kind === "refused") return undefined
  const { env, version, timeoutMs } = module
  const name = `${module.name}.${exported.name}`
  const deadline = timeoutMs === undefined ? {} : { timeoutMs }
  return { ...exported, ...deadline, env, version, name, export: exported.name }
}

export function checkCodeSize(spec: ModuleSpec): void {
  const bytes = Buffer.byteLength(spec.code)
  if (bytes <= SOURCE_BYTES_MAX) return
  throw new BunhouseError(
    "PAYLOAD_TOO_LARGE",
    `the code of ${spec.env}/${spec.name} takes ${bytes} bytes, over the limit of ${SOURCE_BYTES_MAX}: put large packages into the env's spec, packages, so that they do not travel`,
  )
}

/** The version of a function: the same code, kind and place give the same version on every machine. */
export function versionOf(spec: FunctionSpec): string {
  const hash = new Bun.CryptoHasher("sha256")
  hash.update(`${spec.kind}\n${spec.run}\n${withoutMap(spec.code)}`)
  return hash.digest("hex").slice(0, 16)
}

/** The version of a module, which is that of all its exports. */
export function moduleVersion(spec: ModuleSpec): string {
  return versionOf({ ...spec, kind: "module", run: "loop" })
}

/** The code with a source map, JSON, as its last line. Bun reads it where the first line is `// @bun`. */
export function withMap(code: string, map: string): string {
  return `${code}${MAP_START}${Buffer.from(map).toString("base64")}\n`
}

/**
 * The code without the source map at its end. Nothing but a comment can stand there: code that ends inside of a template
 * or a longer comment is no module.
 */
function withoutMap(code: string): string {
  const start = code.lastIndexOf(MAP_START)
  const isLine = start === 0 || code[start - 1] === "\n"
  const map = code.slice(start + MAP_START.length)
  return start !== -1 && isLine && /^[A-Za-z0-9+/=]*\n?$/.test(map) ? code.slice(0, start) : code
}

const MAP_START = "//# sourceMappingURL=data:application/json;base64,"
