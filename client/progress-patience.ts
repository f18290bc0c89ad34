import { CONTROL_TIMEOUT_MS } from "../protocol/limits.ts"

/**
 * Ends a request whose answer may be long when it makes no progress for CONTROL_TIMEOUT_MS while somebody waits for it, or
 * when the caller's own signal fires.
 */
export class ProgressPatience {
  readonly signal: AbortSignal
  readonly #controller = new AbortController()

  constructor(signal?: AbortSignal) {
    const { signal: own } = this.#controller
    this.signal = signal === undefined ? own : AbortSignal.any([own, signal])
  }

  async waitFor<T>(progress: Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.#controller.abort(new DOMException("the daemon said nothing", "TimeoutError"))
    }, CONTROL_TIMEOUT_MS)
    try {
      return await progress
    } finally {
      clearTimeout(timer)
    }
  }

  cancel(): void {
    this.#controller.abort()
  }
}
