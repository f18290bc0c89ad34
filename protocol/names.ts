import { BunhouseError } from "./errors.ts"
import { NAME_BYTES_MAX } from "./limits.ts"

/**
 * Names of envs, functions, modules, instances and objects: what is allowed, and how a name becomes part of a subject or a
 * path.
 *
 * Invariants:
 * N1. A name that passes `checkName` can be shown in a log line and put into a URL without changing its meaning.
 * N2. A token is made of `[a-z0-9_-]` only and is at most 34 characters long, whatever the name.
 * N3. Two different names have different tokens.
 */

// C0 and C1 controls, DEL, line and paragraph separators, bidi controls: they forge log lines. `/` separates
// the two parts of "env/function".
const FORBIDDEN = /[\p{Cc}\u2028\u2029\p{Bidi_Control}/]/u
const FORGING = /[\p{Cc}\u2028\u2029\p{Bidi_Control}]/gu
const SHOWN_LENGTH_MAX = 60
const PLAIN = /^[a-z0-9][a-z0-9_-]{0,31}$/

/** Throws INVALID_ARGUMENT unless `name` may be the name of an env, a function, a module, an instance, an object or a schedule. */
export function checkName(
  what: "env" | "function" | "instance" | "module" | "object" | "schedule",
  name: unknown,
): asserts name is string {
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
  return `it contains U+${hex(found[0]).toUpperCase()} at position ${found.index}`
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
  return /^[aeiou]/.test(what) ? `an ${what}` : `a ${what}`
}

/** A refused name is shown in a log line as well (N1). */
function shown(name: unknown): string {
  if (typeof name !== "string") return `a name of type ${typeof name}`
  const text = JSON.stringify(name.slice(0, SHOWN_LENGTH_MAX))
  const safe = text.replace(FORGING, (char) => `\\u${hex(char)}`)
  return name.length > SHOWN_LENGTH_MAX ? `${safe}...` : safe
}

function hex(char: string): string {
  return (char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")
}
