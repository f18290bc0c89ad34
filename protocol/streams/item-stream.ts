import type { StreamReceiver } from "./receiver.ts"

/**
 * A stream as an async generator, written by hand: an item that has arrived costs its reader one promise.
 *
 * It begins when it is first asked for an item, as generators do. It differs from them in two ways: several `next` may
 * wait at the same time, and `return` and `throw` wait for nobody: they end the stream at once, and the far side is told
 * to run its `finally` blocks. What is passed to `next` is not sent.
 */
export class ItemStream implements AsyncGenerator<unknown, unknown, undefined> {
  readonly #receiver: StreamReceiver
  readonly #stop: () => void
  #begin: (() => void) | undefined

  constructor(parts: {
    readonly receiver: StreamReceiver
    /** Called once, by the first `next`. */
    readonly begin: () => void
    /** The stream was begun, has not ended, and nobody wants more of it. */
    readonly stop: () => void
  }) {
    this.#receiver = parts.receiver
    this.#begin = parts.begin
    this.#stop = parts.stop
  }

  next(): Promise<IteratorResult<unknown, unknown>> {
    const begin = this.#begin
    if (begin !== undefined) {
      this.#begin = undefined
      begin()
    }
    return this.#receiver.next(this)
  }

  async return(value?: unknown): Promise<IteratorResult<unknown, unknown>> {
    this.#close()
    return { done: true, value: await value }
  }

  async throw(error: unknown): Promise<IteratorResult<unknown, unknown>> {
    this.#close()
    throw error
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  get [Symbol.toStringTag](): string {
    return "AsyncGenerator"
  }

  #close(): void {
    const wasBegun = this.#begin === undefined
    this.#begin = undefined
    const wasOpen = this.#receiver.isOpen
    this.#receiver.close()
    if (wasBegun && wasOpen) this.#stop()
  }
}
