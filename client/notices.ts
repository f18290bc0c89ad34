/** What the library says to the user on stderr; off with `BUNHOUSE_QUIET=1`. */
export function notice(line: string): void {
  if (!isQuiet) process.stderr.write(`bunhouse: ${line}\n`)
}

export function warn(line: string): void {
  notice(`warning: ${line}`)
}

/** Set once, by the entry, from the environment. */
export function setQuiet(quiet: boolean): void {
  isQuiet = quiet
}

let isQuiet = false
