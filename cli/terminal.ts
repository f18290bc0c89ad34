import { fstatSync, writeSync } from "node:fs"
import type { Environment } from "../protocol/home.ts"
import { makeStyle, type Style, wantsColor } from "./style.ts"

/** Where a command writes. Data is for pipes, messages are for people. */
export interface Terminal {
  /** Whether a person reads the data. */
  readonly isInteractive: boolean
  /** For data. */
  readonly style: Style
  /** For messages. */
  readonly messageStyle: Style
  /** Writes data and a line break to stdout. Settles once the reader has taken it. */
  print(text: string): Promise<void>
  /** Writes a message to stderr, at once. */
  say(text: string): void
  /** Suggests what to do next; only to a person. */
  suggest(text: string): void
}

export function openTerminal(environment: Environment): Terminal {
  const isInteractive = isTerminal(1)
  const hasReader = isTerminal(2)
  const messageStyle = makeStyle(wantsColor(environment, hasReader))
  return {
    isInteractive,
    style: makeStyle(wantsColor(environment, isInteractive)),
    messageStyle,
    async print(text) {
      try {
        await Bun.write(Bun.stdout, `${text}\n`)
      } catch (error) {
        // The reader has seen enough (`bunhouse logs | head`).
        if (error instanceof Error && "code" in error && error.code === "EPIPE") process.exit(0)
        throw error
      }
    },
    say,
    suggest(text) {
      if (hasReader) say(messageStyle.dim(text))
    },
  }
}

/** Asking Bun costs milliseconds, because it makes a stream; pipes and files need not be asked. */
function isTerminal(descriptor: 1 | 2): boolean {
  try {
    if (!fstatSync(descriptor).isCharacterDevice()) return false
    return (descriptor === 1 ? process.stdout : process.stderr).isTTY
  } catch {
    return false // Closed.
  }
}

function say(text: string): void {
  try {
    writeSync(2, `${text}\n`)
  } catch {
    // Nobody reads messages: no reason to fail.
  }
}
