import { closeSync } from "node:fs"
import { readWatchLine, type WatchLine } from "../../protocol/env-control.ts"
import { parseJson } from "../../protocol/fields.ts"

/** Reads what the watchdog of an env process says, until the process is gone, and closes `fd`. Never rejects. */
export async function readWatchLines(fd: number, told: (line: WatchLine) => void): Promise<void> {
  let rest = ""
  try {
    for await (const chunk of Bun.file(fd).stream().pipeThrough(new TextDecoderStream())) {
      const lines = `${rest}${chunk}`.split("\n")
      rest = (lines.pop() ?? "").slice(-LINE_LENGTH_MAX)
      for (const line of lines) tellLine(line, told)
    }
  } catch {
    // The other end is gone.
  } finally {
    closeSync(fd) // Bun leaves it open.
  }
}

function tellLine(line: string, told: (line: WatchLine) => void): void {
  let read: WatchLine
  try {
    read = readWatchLine(parseJson("a line of a watchdog", line))
  } catch {
    return // Functions can write there, too.
  }
  told(read)
}

const LINE_LENGTH_MAX = 1_024
