import { writeSync } from "node:fs"
import { LOG_CHECK_BYTES } from "../../protocol/limits.ts"
import { rotateLog } from "../../protocol/log-rotation.ts"

/**
 * Appends lines to the env's log, to which the process's stderr leads. The first lines of every few milliseconds are
 * written at once, so that they are there when their function then hangs or crashes; what is beyond them, in a burst, is
 * written together.
 */
export class LogWriter {
  readonly #path: string | undefined
  #lines: string[] = []
  #windowAt = 0
  #writtenAtOnce = 0
  #bytes = 0
  #isScheduled = false

  /** `path` is where stderr leads to; undefined where somebody else looks after its size. */
  constructor(path: string | undefined) {
    this.#path = path
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
      writeSync(STDERR, text)
    } catch {
      // A full disk must not fail the function.
    }
    this.#bytes += text.length
    if (this.#path === undefined || this.#bytes < LOG_CHECK_BYTES) return
    this.#bytes = 0
    rotateLog(STDERR, this.#path)
  }
}

const STDERR = 2
const WINDOW_MS = 5
const AT_ONCE_MAX = 8
const LINES_MAX = 1_024
