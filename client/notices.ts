/** What the library says to the user on stderr; off with `BUNHOUSE_QUIET=1`. */
export function notice(line: string): void {
  if (!quiet) process.stderr.write(`bunhouse: ${line}\n`)
}

export function warn(line: string): void {
  notice(`warning: ${line}`)
}

/** Set once, by the entry, from the environment. */
export function setQuiet(wanted: boolean): void {
  quiet = wanted
}

export function isQuiet(): boolean {
  return quiet
}

let quiet = false
