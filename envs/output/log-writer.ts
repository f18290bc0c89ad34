import { LOG_CHECK_BYTES } from "../../protocol/limits.ts"

/**
 * Appends lines to the env's log, to which the process's stderr leads. The first lines of every few milliseconds are
 * written at once, so that they are there when their function then hangs or crashes; what is beyond them, in a burst, is
 * written together.
 *
 * What it writes with is loaded by the first line: most threads never print any.
 */
export class LogWriter {
  readonly #bound: (() => void) | undefined
  #lines: string[] = []
  #windowAt = 0
  #writtenAtOnce = 0
  #bytes = 0
  #isScheduled = false

  /** `bound` is called now and then to keep the log from growing; left out where somebody else looks after that. */
  constructor(bound?: () => void) {
    this.#bound = bound
    process.on("exit", () => this.flush())
  }

  /** `line` ends with a line break. */
  write(line: string, time: number): void {
    if (time - this.#windowAt >= WINDOW_MS) {
      this.#windowAt = time
      this.#writtenAtOnce = 0
    }
    this.#lines.push(line)
    if (this.#writtenAtOnce++ < AT_ONCE_MAX || this.#lines.length >= LINES_MAX) return this.flush()
    if (this.#isScheduled) return
    this.#isScheduled = true
    setTimeout(() => {
      this.#isScheduled = false
      this.flush()
    }, WINDOW_MS)
  }

  flush(): void {
    if (this.#lines.length === 0) return
    const text = this.#lines.join("")
    this.#lines = []
    try {
      process.getBuiltinModule("node:fs").writeSync(STDERR, text)
    } catch {
      // A full disk must not fail the function.
    }
    this.#bytes += text.length
    if (this.#bound === undefined || this.#bytes < LOG_CHECK_BYTES) return
    this.#bytes = 0
    this.#bound()
  }
}

export const STDERR = 2
const WINDOW_MS = 5
const AT_ONCE_MAX = 8
const LINES_MAX = 1_024
