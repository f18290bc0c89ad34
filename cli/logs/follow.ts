import { setTimeout as sleep } from "node:timers/promises"
import { LogFile } from "./log-file.ts"

/**
 * The last `count` lines of a log and then every further one, up to what is there when `signal` fires. A log that is not there yet is
 * waited for; one that is cut or replaced is read on from its new beginning.
 */
export async function* followLines(
  path: string,
  count: number,
  signal: AbortSignal,
): AsyncGenerator<readonly string[]> {
  let file = LogFile.open(path)
  try {
    file?.seekLast(count)
    for (;;) {
      // Both are asked before reading: what was written until then is read first.
      const isLast = signal.aborted
      file ??= LogFile.open(path)
      const isReplaced = file?.isReplaced === true
      const lines = file?.nextLines() ?? []
      if (lines.length > 0) yield lines
      else if (isReplaced) {
        file?.[Symbol.dispose]()
        file = undefined
      } else if (isLast) return
      else await sleep(LOOK_MS, undefined, { signal }).catch(() => {}) // Fired: read once more.
    }
  } finally {
    file?.[Symbol.dispose]()
  }
}

const LOOK_MS = 100
