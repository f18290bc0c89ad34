import { Fields } from "./fields.ts"
import { BunhouseError } from "./errors.ts"
import { SOURCE_BYTES_MAX } from "./limits.ts"
import { checkName } from "./names.ts"

/** The kind of a function decides how it is called by default. */
const FUNCTION_KINDS = ["async", "sync"] as const
export type FunctionKind = (typeof FUNCTION_KINDS)[number]

/** Where an env runs a function: on its event loop, or on a thread. */
export const PLACES = ["loop", "thread"] as const
export type Place = (typeof PLACES)[number]

/** What a daemon knows of a function without its code. */
export interface FunctionInfo {
  readonly env: string
  readonly name: string
  readonly kind: FunctionKind
  readonly run: Place
  /** Hash of code and calling facts: equal versions behave alike. */
  readonly version: string
}

/**
 * A function as it is sent: the code is an ES module whose default export is the function. Its last line may be a source
 * map, which names the author's own files: it is no part of the version.
 */
export interface FunctionSpec extends Omit<FunctionInfo, "version"> {
  readonly code: string
}

/** Reads a function that a client sends. Throws INVALID_ARGUMENT or PAYLOAD_TOO_LARGE. */
export function readFunctionSpec(env: string, name: string, input: unknown): FunctionSpec {
  checkName("env", env)
  checkName("function", name)
  const fields = new Fields(`the function ${JSON.stringify(`${env}/${name}`)}`, input)
  const spec: FunctionSpec = {
    env,
    name,
    kind: fields.oneOf("kind", FUNCTION_KINDS),
    run: fields.oneOf("run", PLACES),
    code: fields.text("code"),
  }
  fields.done()
  checkCodeSize(spec)
  return spec
}

/** Reads what the store or a daemon says of a function. */
export function readFunctionInfo(input: unknown): FunctionInfo {
  const fields = new Fields("the record of a function", input)
  const info: FunctionInfo = {
    env: fields.text("env"),
    name: fields.text("name"),
    kind: fields.oneOf("kind", FUNCTION_KINDS),
    run: fields.oneOf("run", PLACES),
    version: fields.text("version"),
  }
  checkName("env", info.env)
  checkName("function", info.name)
  return info
}

export function checkCodeSize(spec: FunctionSpec): void {
  const bytes = Buffer.byteLength(spec.code)
  if (bytes <= SOURCE_BYTES_MAX) return
  throw new BunhouseError(
    "PAYLOAD_TOO_LARGE",
    `the code of ${spec.env}/${spec.name} takes ${bytes} bytes, over the limit of ${SOURCE_BYTES_MAX}`,
  )
}

/** The version of a function: the same code, kind and place give the same version on every machine. */
export function versionOf(spec: FunctionSpec): string {
  const hash = new Bun.CryptoHasher("sha256")
  hash.update(`${spec.kind}\n${spec.run}\n${withoutMap(spec.code)}`)
  return hash.digest("hex").slice(0, 16)
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
