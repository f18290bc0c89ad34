import { BunhouseError } from "./errors.ts"
import { NAME_BYTES_MAX } from "./limits.ts"

/**
 * Names of envs and functions: what is allowed, and how a name becomes part of a subject or a path.
 *
 * Invariants:
 * N1. A name that passes `checkName` can be shown in a log line and put into a URL without changing its meaning.
 * N2. A token is made of `[a-z0-9_-]` only and is at most 34 characters long, whatever the name.
 * N3. Two different names have different tokens.
 */

// C0 and C1 controls, DEL, line and paragraph separators, bidi overrides: they forge log lines. `/` separates
// the two parts of "env/function".
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069/]/u
const PLAIN = /^[a-z0-9][a-z0-9_-]{0,31}$/

/** Throws INVALID_ARGUMENT unless `name` may be the name of an env or a function. */
export function checkName(what: "env" | "function", name: unknown): asserts name is string {
  const reason = whyNotAName(name)
  if (reason === undefined) return
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `${shown(name)} cannot be the name of ${article(what)}: ${reason}`,
  )
}

function whyNotAName(name: unknown): string | undefined {
  if (typeof name !== "string") return `expected a string, got ${typeof name}`
  if (name.length === 0) return "it is empty"
  if (name.length > NAME_BYTES_MAX || Buffer.byteLength(name) > NAME_BYTES_MAX) {
    return `it is longer than ${NAME_BYTES_MAX} bytes`
  }
  if (name === "." || name === "..") return "URLs give this name another meaning"
  if (!name.isWellFormed()) return "it is not well-formed Unicode"
  const found = FORBIDDEN.exec(name)
  if (found === null) return undefined
  const codePoint = found[0].codePointAt(0) ?? 0
  return `it contains U+${codePoint.toString(16).toUpperCase().padStart(4, "0")} at position ${found.index}`
}

/** The token that stands for a name in subjects, keys and paths (N2, N3). Readable where the name is simple. */
export function nameToken(name: string): string {
  if (PLAIN.test(name)) return `p-${name}`
  return `h-${new Bun.CryptoHasher("sha256").update(name).digest("hex").slice(0, 32)}`
}

/** Splits "env/function"; a name without a slash belongs to the env `default`. */
export function splitAddress(address: string): { readonly env: string; readonly function: string } {
  const slash = address.indexOf("/")
  const env = slash === -1 ? DEFAULT_ENV : address.slice(0, slash)
  const fn = address.slice(slash + 1)
  checkName("env", env)
  checkName("function", fn)
  return { env, function: fn }
}

/** The env that `.to(here)` means. */
export const DEFAULT_ENV = "default"

function article(what: string): string {
  return what === "env" ? "an env" : `a ${what}`
}

function shown(name: unknown): string {
  const text = typeof name === "string" ? JSON.stringify(name) : String(name)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
