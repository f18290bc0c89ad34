import type { CancelSource } from "../client/connection/aborts.ts"

/**
 * The cancel of a running call: for its function as an AbortSignal, and for the calls that the function makes as this
 * itself. A signal that nobody asked for would be most of what such a call costs beside its frames.
 */
export class Cancellation implements CancelSource {
  #aborted = false
  #reason: DOMException | undefined
  #controller: AbortController | undefined
  readonly #listeners = new Set<() => void>()

  get aborted(): boolean {
    return this.#aborted
  }

  /** That of the signal, too. */
  get reason(): DOMException {
    return (this.#reason ??= new DOMException(
      "the call was cancelled, or its deadline passed",
      "AbortError",
    ))
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted) this.#controller.abort(this.reason)
    }
    return this.#controller.signal
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener)
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener)
  }

  /** The function hears of it before its calls fail. */
  abort(): void {
    if (this.#aborted) return
    this.#aborted = true
    this.#controller?.abort(this.reason)
    for (const listener of this.#listeners) listener()
  }
}
