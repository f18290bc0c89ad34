import type { Credit } from "./credit.ts"
import { ItemReader } from "./items.ts"

/** How a stream ended, at the side that reads it. */
export type Ending =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly thrown: unknown }

/**
 * Items that have arrived and wait for their reader, encoded: memory is bounded by the credit that was granted.
 *
 * Invariants:
 * E1. Items are read in the order in which they arrived, and the end after all of them.
 * E2. What was taken is granted again, half a window at a time, so that the sender need not wait while a reader keeps up.
 * E3. The end is told once; from then on every `next` is done.
 * E4. A reader that waits is not collected as garbage: whoever gives up streams that nobody can reach would end it.
 */
export class StreamReceiver {
  readonly #parts: StreamReceiverParts
  /** The payloads after the one that is being read. */
  #payloads: Uint8Array[] = []
  #head = 0
  #current: ItemReader | undefined
  /** Readers that came before their item. */
  readonly #waiting: Waiting[] = []
  #ending: Ending | undefined
  #isDone = false
  #takenItems = 0
  #takenBytes = 0

  constructor(parts: StreamReceiverParts) {
    this.#parts = parts
  }

  /** The next item or the end, once it is there. */
  next(reader: object): Promise<IteratorResult<unknown, unknown>> {
    if (this.#waiting.length === 0) {
      try {
        const item = this.#take()
        if (item !== undefined) return Promise.resolve(item)
      } catch (error) {
        this.#fail(error)
      }
      if (this.#ending !== undefined || this.#isDone) return this.#end()
    }
    const waiting = Promise.withResolvers<IteratorResult<unknown, unknown>>()
    this.#waiting.push({ ...waiting, reader })
    return waiting.promise
  }

  /** Items have arrived. The bytes belong to the receiver. */
  push(payload: Uint8Array): void {
    if (this.#isDone || this.#ending !== undefined) return
    this.#payloads.push(payload)
    this.#serve()
  }

  /** The stream has ended, after the items that have arrived (E1). Only the first end counts. */
  end(ending: Ending): void {
    if (this.#isDone) return
    this.#ending ??= ending
    this.#serve()
  }

  /** The reader wants no more: what has arrived is dropped, whoever waits is told that it is done. */
  close(): void {
    this.#isDone = true
    this.#forget()
    this.#serve()
  }

  /** Drops what has arrived and was not read; the end is still to come. */
  drop(): void {
    this.#forget()
  }

  /** Whether the sender may still have something to send. */
  get isOpen(): boolean {
    return this.#ending === undefined && !this.#isDone
  }

  #serve(): void {
    const waiting = this.#waiting
    while (waiting.length > 0) {
      const item = this.#takeSafely()
      if (item === undefined && this.#ending === undefined && !this.#isDone) return
      const first = waiting.shift()
      if (item !== undefined) first?.resolve(item)
      else if (first !== undefined) this.#end().then(first.resolve, first.reject)
    }
  }

  #takeSafely(): IteratorResult<unknown, unknown> | undefined {
    try {
      return this.#take()
    } catch (error) {
      this.#fail(error)
      return undefined
    }
  }

  #take(): IteratorResult<unknown, unknown> | undefined {
    while (this.#current === undefined || !this.#current.next()) {
      const payload = this.#payloads[this.#head]
      if (payload === undefined) {
        this.#current = undefined
        return undefined
      }
      this.#advance()
      this.#current = new ItemReader(payload)
    }
    const { bytes, start, end } = this.#current
    const value = this.#parts.decode(bytes, start, end)
    this.#taken(end - start)
    return { done: false, value }
  }

  /** `shift` costs the length of the list; this does now and then. */
  #advance(): void {
    this.#head++
    if (this.#head < 64 && this.#head < this.#payloads.length) return
    this.#payloads = this.#payloads.slice(this.#head)
    this.#head = 0
  }

  /** E2. */
  #taken(bytes: number): void {
    this.#takenItems++
    this.#takenBytes += bytes
    const { window } = this.#parts
    if (this.#takenItems * 2 < window.items && this.#takenBytes * 2 < window.bytes) return
    const credit = { items: this.#takenItems, bytes: this.#takenBytes }
    this.#takenItems = 0
    this.#takenBytes = 0
    if (this.isOpen) this.#parts.grant(credit)
  }

  /** E3. */
  #end(): Promise<IteratorResult<unknown, unknown>> {
    const ending = this.#ending
    this.#isDone = true
    this.#ending = undefined
    if (ending?.kind === "threw") return Promise.reject(ending.thrown)
    return Promise.resolve({ done: true, value: ending?.value })
  }

  /** What arrived cannot be read: the stream ends here. */
  #fail(thrown: unknown): void {
    if (this.isOpen) this.#parts.stop()
    this.#forget()
    this.#ending = { kind: "threw", thrown }
  }

  #forget(): void {
    this.#payloads = []
    this.#head = 0
    this.#current = undefined
  }
}

interface Waiting extends PromiseWithResolvers<IteratorResult<unknown, unknown>> {
  /** Held, and nothing else (E4). */
  readonly reader: object
}

export interface StreamReceiverParts {
  /** What was granted at the beginning. */
  readonly window: Credit
  readonly decode: (bytes: Uint8Array, start: number, end: number) => unknown
  readonly grant: (credit: Credit) => void
  /** The sender is to stop. */
  readonly stop: () => void
}
