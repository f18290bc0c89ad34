import { BunhouseError } from "../errors.ts"
import { PAYLOAD_BYTES_MAX } from "../limits.ts"
import type { Credit } from "./credit.ts"
import { ItemJoiner } from "./item-joiner.ts"
import { ItemReader, LENGTH_BYTES } from "./items.ts"

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
 * E5. An item in pieces comes to its end only while a reader waits for it: then what arrives of it is granted again at
 *     once, all but a window, and that when it is taken. So what nobody has asked for is a window and what overdraws it.
 * E6. Who sends more than was granted is refused, and so is an item of more than `itemBytesMax`.
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
  /** In `#payloads`. */
  #heldBytes = 0
  readonly #heldBytesMax: number
  /** While an item is not whole. */
  #joiner: ItemJoiner | undefined

  constructor(parts: StreamReceiverParts) {
    this.#parts = parts
    const { items, bytes } = parts.window
    this.#heldBytesMax = bytes + items * LENGTH_BYTES + PAYLOAD_BYTES_MAX
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
    if (this.#joiner !== undefined) this.#grantOpen(this.#joiner)
    return waiting.promise
  }

  /** Items have arrived; the last one `goesOn` in what arrives next. The bytes are valid during the call only. */
  push(payload: Uint8Array, goesOn = false): void {
    if (this.#isDone || this.#ending !== undefined) return
    if (goesOn || this.#joiner !== undefined) return this.#join(payload, goesOn)
    this.#keep(new Uint8Array(payload))
    this.#serve()
    if (this.#heldBytes > this.#heldBytesMax) this.#fail(tooMuch())
  }

  /** The stream has ended, after the items that have arrived (E1). Only the first end counts. */
  end(ending: Ending): void {
    if (this.#isDone) return
    this.#ending ??= ending.kind === "returned" ? this.#endOfAll(ending) : ending
    this.#joiner = undefined
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

  #keep(payload: Uint8Array): void {
    this.#payloads.push(payload)
    this.#heldBytes += payload.length
  }

  #join(payload: Uint8Array, goesOn: boolean): void {
    const joiner = (this.#joiner ??= new ItemJoiner(this.#parts.itemBytesMax))
    try {
      for (const whole of joiner.add(payload, goesOn)) {
        this.#keep(whole.buffer === payload.buffer ? new Uint8Array(whole) : whole)
      }
      if (joiner.open === undefined) this.#joiner = undefined
      this.#serve()
      if (this.#heldBytes > this.#heldBytesMax) throw tooMuch()
      this.#grantOpen(joiner)
    } catch (error) {
      this.#fail(error)
      this.#serve()
    }
  }

  /** E5. Half a window at a time, and at last all there is. */
  #grantOpen({ open }: ItemJoiner): void {
    if (open === undefined || this.#waiting.length === 0 || !this.isOpen) return
    const { window } = this.#parts
    const most = Math.max(0, open.length - window.bytes)
    const bytes = Math.min(open.arrived, most) - open.granted
    const isHalf = (this.#takenBytes + bytes) * 2 >= window.bytes
    if (!isHalf && open.arrived < most) return
    open.granted += bytes
    this.#takenBytes += bytes
    if (this.#takenItems + this.#takenBytes > 0) this.#grantTaken()
  }

  /** Where the last item is not whole, that is the end. */
  #endOfAll(ending: Ending): Ending {
    try {
      this.#joiner?.finish()
      return ending
    } catch (thrown) {
      return { kind: "threw", thrown }
    }
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
    // A large item need not be kept while its reader is busy with it.
    if (end === bytes.length) this.#current = undefined
    const value = this.#parts.decode(bytes, start, end)
    this.#taken(end - start)
    return { done: false, value }
  }

  /** `shift` costs the length of the list; this does now and then. */
  #advance(): void {
    this.#heldBytes -= this.#payloads[this.#head]?.length ?? 0
    this.#head++
    if (this.#head < 64 && this.#head < this.#payloads.length) return
    this.#payloads = this.#payloads.slice(this.#head)
    this.#head = 0
  }

  /** E2. */
  #taken(bytes: number): void {
    const { window } = this.#parts
    this.#takenItems++
    this.#takenBytes += bytes > PAYLOAD_BYTES_MAX ? Math.min(bytes, window.bytes) : bytes // E5
    if (this.#takenItems * 2 < window.items && this.#takenBytes * 2 < window.bytes) return
    this.#grantTaken()
  }

  #grantTaken(): void {
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
    this.#heldBytes = 0
    this.#current = undefined
    this.#joiner = undefined
  }
}

function tooMuch(): BunhouseError {
  const message = "more of a stream came than its reader had granted"
  return new BunhouseError("PROTOCOL_ERROR", message, { ran: "yes" })
}

interface Waiting extends PromiseWithResolvers<IteratorResult<unknown, unknown>> {
  /** Held, and nothing else (E4). */
  readonly reader: object
}

export interface StreamReceiverParts {
  /** What was granted at the beginning. */
  readonly window: Credit
  /** Of one item, encoded. */
  readonly itemBytesMax: number
  readonly decode: (bytes: Uint8Array, start: number, end: number) => unknown
  readonly grant: (credit: Credit) => void
  /** The sender is to stop. */
  readonly stop: () => void
}
