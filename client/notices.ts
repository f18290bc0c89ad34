import type { Environment } from "../protocol/home.ts"

/** What the library says to the user on stderr; off with `BUNHOUSE_QUIET=1`. */
export function notice(line: string): void {
  if (!quiet) process.stderr.write(`bunhouse: ${line}\n`)
}

export function warn(line: string): void {
  notice(`warning: ${line}`)
}

/** By `BUNHOUSE_QUIET`: `0` and `false` are a no, as nothing is. */
export function wantsQuiet(environment: Environment): boolean {
  return !NO.has(environment["BUNHOUSE_QUIET"] ?? "")
}

/** Set once, by the entry, from the environment. */
export function setQuiet(wanted: boolean): void {
  quiet = wanted
}

export function isQuiet(): boolean {
  return quiet
}

const NO: ReadonlySet<string> = new Set(["", "0", "false"])
let quiet = false
