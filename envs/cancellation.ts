import type { CancelSource } from "../client/connection/aborts.ts"

/**
 * The cancel of a running call, for the calls that its function makes: most of what such a call would cost beside its frames
 * is an AbortSignal that nobody asked for.
 */
export class Cancellation implements CancelSource {
  #aborted: boolean
  readonly #listeners = new Set<() => void>()

  constructor(aborted: boolean) {
    this.#aborted = aborted
  }

  get aborted(): boolean {
    return this.#aborted
  }

  get reason(): DOMException {
    return new DOMException("the call was cancelled, or its deadline passed", "AbortError")
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener)
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener)
  }

  abort(): void {
    if (this.#aborted) return
    this.#aborted = true
    for (const listener of this.#listeners) listener()
  }
}
