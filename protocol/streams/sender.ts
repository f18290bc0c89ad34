import { asBunhouseError, type BunhouseError } from "../errors.ts"
import {
  PART_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
  STREAM_BATCH_BYTES,
  STREAM_BATCH_ITEMS,
} from "../limits.ts"
import type { Credit } from "./credit.ts"
import { ItemWriter } from "./items.ts"
import { CutItem } from "./pieces.ts"
import type { Turns } from "./turns.ts"

/** Where items come from. */
export type Source = Iterator<unknown, unknown> | AsyncIterator<unknown, unknown>

/** How a stream ended, at the side that sends it. */
export type StreamEnd =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly thrown: unknown }
  /** An item could not be sent. */
  | { readonly kind: "failed"; readonly error: BunhouseError }
  /** Nobody wanted more. */
  | { readonly kind: "stopped" }

/**
 * Sends the items of a generator, as many as the reader has granted.
 *
 * Invariants:
 * G1. The generator is asked for an item only while there is credit for it: at least one item, and more than no bytes.
 *     The last item may overdraw the bytes, so that an item larger than the window passes; nothing is sent after it
 *     until the reader has taken enough. An item that does not fit a frame leaves in pieces, which overdraw nothing.
 * G2. An item is encoded at the moment it was yielded: generators use their objects again.
 * G3. `ended` is called once, after all items before the end were sent, and after the generator has ended (or cannot be
 *     told to).
 * G4. After `stop` no item is sent, and the generator is told to `return`, so that its `finally` runs.
 * G5. The first item leaves before the generator goes on, and so does an item that took long. Others may wait for the end
 *     of the turn, and with it for a step of the generator that blocks.
 */
export class StreamSender {
  readonly #parts: StreamSenderParts
  readonly #writer = new ItemWriter()
  #source: Source | undefined
  #items = 0
  #bytes = 0
  #isStopped = false
  #closing: Promise<void> | undefined
  #wake: (() => void) | undefined
  #willFlush = false
  /** The item that was added last is the first one; undefined before there is one. */
  #isFirst: boolean | undefined
  /** The item that was added last, where it is one to be cut. */
  #large: Uint8Array | undefined

  constructor(parts: StreamSenderParts) {
    this.#parts = parts
  }

  /** Begins to send; credit that came before counts. Call it once. */
  start(source: Source): void {
    this.#source = source
    void this.#run(source)
  }

  grant({ items, bytes }: Credit): void {
    this.#items += items
    this.#bytes += bytes
    this.#wake?.()
  }

  /** Nobody wants more (G4). Legal at any time. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    if (this.#source !== undefined) void this.#close(this.#source)
    this.#wake?.()
  }

  async #run(source: Source): Promise<void> {
    const { turns } = this.#parts
    let end: StreamEnd | undefined
    try {
      while (end === undefined) {
        if (!this.#hasCredit()) await this.#credit()
        if (this.#isFirst || turns.isOver()) await this.#anotherTurn()
        if (this.#isStopped) break
        const step = source.next()
        const { done, value } = isPromise(step) ? await step : step
        if (this.#isStopped) break
        end = done === true ? { kind: "returned", value } : this.#add(value)
        if (this.#large !== undefined) await this.#sendLarge(this.#large)
      }
    } catch (thrown) {
      end = { kind: "threw", thrown }
    }
    await this.#finish(source, this.#isStopped ? { kind: "stopped" } : end)
  }

  /** G3. */
  async #finish(source: Source, end: StreamEnd = { kind: "stopped" }): Promise<void> {
    if (end.kind !== "stopped") this.#flush()
    if (end.kind === "stopped" || end.kind === "failed") await this.#close(source)
    this.#parts.ended(end)
  }

  /** G1. Pieces need bytes alone. */
  #hasCredit(items = 1): boolean {
    return this.#items >= items && this.#bytes >= 1
  }

  #credit(items = 1): Promise<void> {
    if (this.#isStopped) return Promise.resolve()
    this.#flush()
    return new Promise((resolve) => {
      this.#wake = () => {
        if (!this.#hasCredit(items) && !this.#isStopped) return
        this.#wake = undefined
        resolve()
      }
    })
  }

  /** G5. */
  #anotherTurn(): Promise<void> {
    this.#isFirst = false
    this.#flush()
    return this.#parts.turns.another()
  }

  /** G2. Returns the end of the stream when the item cannot be sent. */
  #add(value: unknown): StreamEnd | undefined {
    let item: Uint8Array
    try {
      item = this.#parts.encode(value)
    } catch (cause) {
      return { kind: "failed", error: asBunhouseError(cause, "encoding an item of a stream") }
    }
    const writer = this.#writer
    this.#isFirst = this.#isFirst === undefined
    this.#items--
    if (item.length > PAYLOAD_BYTES_MAX) {
      this.#large = item
      return undefined
    }
    this.#bytes -= item.length
    // A large item travels alone, so that its frame fits where a payload does.
    if (writer.byteLength + item.length > STREAM_BATCH_BYTES) this.#flush()
    writer.add(item)
    if (writer.count >= STREAM_BATCH_ITEMS) this.#flush()
    else if (!this.#willFlush) {
      this.#willFlush = true
      this.#parts.turns.atEnd(this.#endOfTurn)
    }
    return undefined
  }

  /** The generator waits meanwhile: this item is the only one that is held. */
  async #sendLarge(item: Uint8Array): Promise<void> {
    this.#large = undefined
    this.#flush()
    const cut = new CutItem(item)
    for (let count = 1; cut.left > 0; count = 0) {
      if (!this.#hasCredit(0)) await this.#credit(0)
      if (this.#parts.turns.isOver()) await this.#parts.turns.another()
      if (this.#isStopped) return
      const bytes = Math.min(cut.left, this.#bytes, PART_BYTES_MAX)
      this.#bytes -= bytes
      const piece = cut.take(bytes)
      this.#parts.send(piece, count, cut.left > 0)
    }
  }

  readonly #endOfTurn = (): void => {
    this.#willFlush = false
    if (!this.#isStopped) this.#flush()
  }

  #flush(): void {
    const { count } = this.#writer
    if (count > 0) this.#parts.send(this.#writer.take(), count, false)
  }

  #close(source: Source): Promise<void> {
    this.#closing ??= closed(source)
    return this.#closing
  }
}

export interface StreamSenderParts {
  readonly turns: Turns
  /** Throws for what cannot be sent. The bytes of what does not fit a frame are not written to again. */
  readonly encode: (item: unknown) => Uint8Array
  /**
   * Sends a payload in which `count` items begin, and which is valid during the call only. The last item `goesOn` in the
   * next one.
   */
  readonly send: (payload: Uint8Array, count: number, goesOn: boolean) => void
  /** G3. */
  readonly ended: (end: StreamEnd) => void
}

/** A generator that waits for something takes note of its `return` when it has it. */
async function closed(source: Source): Promise<void> {
  try {
    await source.return?.()
  } catch {
    // Nobody waits for this stream any more.
  }
}

function isPromise(step: object): step is PromiseLike<IteratorResult<unknown>> {
  return "then" in step
}
