import { type FrameReader, FrameWriter, UTF8_BYTES_MAX } from "./frame.ts"
import { now } from "./deadlines.ts"
import { BATCH_BYTES_TARGET } from "./limits.ts"

/**
 * Frames on their way to one destination: what is written together leaves together, as one message.
 *
 * Invariants:
 * O1. A frame leaves in the same turn of the event loop in which it was written, and a lone one waits for nothing else in it.
 * O2. A message is never larger than `messageBytesMax`, unless a single frame is.
 */
export class Outbox {
  readonly #writer = new FrameWriter()
  readonly #options: OutboxOptions
  #scheduled = false
  #lengthSeen = 0
  #rounds = 0
  /** Messages that followed each other within BURST_MS, and when the last one left. */
  #burst = 0
  #flushedAt = 0

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  /** The writer to put one frame of about `bytes` into; sending happens by itself. */
  open(bytes: number): FrameWriter {
    const writer = this.#writer
    if (writer.byteLength + bytes > this.#options.messageBytesMax) this.flush()
    if (writer.byteLength > BATCH_BYTES_TARGET) this.flush()
    if (!this.#scheduled) {
      this.#scheduled = true
      if (this.#waitsForTurn) endOfTurn(this.#endOfTurn)
      else queueMicrotask(this.#endOfMicrotasks)
    }
    return writer
  }

  /** The same for a frame whose payload is `text`. */
  openText(text: string): FrameWriter {
    return this.open(text.length * UTF8_BYTES_MAX)
  }

  /**
   * Forwards the frame that `frame` stands on under another id, target and time left. A large frame that is alone in its
   * batch is not copied: the batch itself goes on, and belongs to the destination from here on.
   */
  forward(frame: FrameReader, id: number, target: number, timeoutMs: number, serial: number): void {
    const bytes = frame.end - frame.start
    if (bytes > BATCH_BYTES_TARGET && frame.isAlone) {
      this.flush()
      frame.rename(id, target, timeoutMs, serial)
      this.#options.send(frame.bytes)
    } else {
      this.open(bytes).copyFrom(frame, id, target, timeoutMs, serial)
    }
  }

  flush(): void {
    if (this.#writer.isEmpty) return
    this.#options.send(this.#writer.take())
    const time = now()
    this.#burst = time - this.#flushedAt < BURST_MS ? this.#burst + 1 : 0
    this.#flushedAt = time
  }

  get #waitsForTurn(): boolean {
    if (this.#options.flushAfter === "turn") return true
    return this.#burst >= BURST_MESSAGES && now() - this.#flushedAt < BURST_MS
  }

  readonly #endOfTurn = (): void => {
    this.#scheduled = false
    this.flush()
  }

  /**
   * Continuations of many promises run one after another, each some microtasks deep; the batch is complete when a
   * whole round of microtasks has added nothing. Bounded, because code may add frames in microtasks for ever.
   */
  readonly #endOfMicrotasks = (): void => {
    const length = this.#writer.byteLength
    if (length !== this.#lengthSeen && this.#rounds < MICROTASK_ROUNDS_MAX) {
      this.#lengthSeen = length
      this.#rounds++
      queueMicrotask(this.#endOfMicrotasks)
      return
    }
    this.#scheduled = false
    this.#lengthSeen = 0
    this.#rounds = 0
    this.flush()
  }
}

export interface OutboxOptions {
  /** Must not throw: a destination that is gone is the owner's business, not the writer's. */
  readonly send: (batch: Uint8Array) => void
  readonly messageBytesMax: number
  /**
   * When a batch is complete. `microtasks`: when no continuation adds to it any more, for a process whose frames come
   * from promises; after BURST_MESSAGES that followed each other within BURST_MS, such as those of many timers, at the end
   * of the turn. `turn`: at the end of the event loop's turn, for a process whose frames come from many sockets.
   */
  readonly flushAfter: "microtasks" | "turn"
}

const MICROTASK_ROUNDS_MAX = 32
/** A message costs each process on its way some ten microseconds. */
const BURST_MS = 0.1
/** Fewer are what a program's own steps make, of which none should wait for the next one. */
const BURST_MESSAGES = 8
/** As it was before any function could replace it. */
const endOfTurn = setImmediate
