import { BunhouseError } from "./errors.ts"
import { VARS_BYTES_MAX } from "./limits.ts"

/** A variable's value; a secret one reaches the process and nobody else. */
export type EnvVar = string | { readonly secret: string }

/** A variable as status shows it. */
export type ShownVar = string | { readonly secret: true }

/**
 * Reads the variables of an env. Throws INVALID_ARGUMENT; no message holds a value, because it may be a secret that is
 * misspelt as something else.
 */
export function readVars(what: string, input: unknown): Readonly<Record<string, EnvVar>> {
  if (input === undefined) return {}
  const refuse = (reason: string) => new BunhouseError("INVALID_ARGUMENT", `${what}: ${reason}`)
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw refuse(`expected vars to be like { MODE: "x", KEY: { secret: "…" } }`)
  }
  const vars: [string, EnvVar][] = []
  let bytes = 0
  for (const [name, given] of Object.entries(input)) {
    const shown = JSON.stringify(name.slice(0, 60))
    const reason = whyNotAName(name)
    if (reason !== undefined) throw refuse(`${shown} cannot be a variable: ${reason}`)
    const value = readVar(given)
    if (value === undefined) {
      throw refuse(`expected the variable ${shown} to be a string or { secret: string }`)
    }
    const text = textOf(value)
    if (text.includes("\0")) throw refuse(`the variable ${shown} contains a NUL`)
    bytes += Buffer.byteLength(name) + Buffer.byteLength(text)
    vars.push([name, value])
  }
  if (bytes > VARS_BYTES_MAX) {
    throw refuse(`the variables take ${bytes} bytes, over the limit of ${VARS_BYTES_MAX}`)
  }
  return Object.fromEntries(vars.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** The variables as the process gets them. */
export function plainVars(vars: Readonly<Record<string, EnvVar>>): Record<string, string> {
  return Object.fromEntries(Object.entries(vars).map(([name, value]) => [name, textOf(value)]))
}

export function hideSecrets(vars: Readonly<Record<string, EnvVar>>): Record<string, ShownVar> {
  return Object.fromEntries(
    Object.entries(vars).map(([name, value]) => {
      return [name, typeof value === "string" ? value : { secret: true }]
    }),
  )
}

/** `text` with every secret value blotted out. */
export function withoutSecrets(vars: Readonly<Record<string, EnvVar>>, text: string): string {
  const secrets = Object.values(vars).flatMap((value) => {
    if (typeof value === "string" || value.secret === "") return []
    // Of a secret with many lines (a key), each one that tells something: output comes by the line.
    const lines = value.secret.split("\n").filter((line) => line.length >= TELLING_LENGTH_MIN)
    return [value.secret, ...lines]
  })
  // Longer ones first: one may be a part of another.
  const inOrder = secrets.toSorted((a, b) => b.length - a.length)
  return inOrder.reduce((rest, secret) => rest.replaceAll(secret, "***"), text)
}

const TELLING_LENGTH_MIN = 8

function whyNotAName(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return "expected letters, digits and _"
  if (name.startsWith("BUNHOUSE_")) return "the daemon sets these"
  if (name.startsWith("BUN_")) return "Bun's own settings would change the process: use bunArgs"
  if (name.startsWith("NODE_CHANNEL_") || name === "NODE_UNIQUE_ID") {
    return "it would make the process look for a parent that is none"
  }
  return undefined
}

function readVar(given: unknown): EnvVar | undefined {
  if (typeof given === "string") return given
  if (typeof given !== "object" || given === null || !("secret" in given)) return undefined
  const { secret } = given
  return typeof secret === "string" && Object.keys(given).length === 1 ? { secret } : undefined
}

function textOf(value: EnvVar): string {
  return typeof value === "string" ? value : value.secret
}
