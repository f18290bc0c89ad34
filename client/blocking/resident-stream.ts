import { now } from "../../protocol/deadlines.ts"
import { asBunhouseError } from "../../protocol/errors.ts"
import { FrameFlag, FrameReader, FrameType } from "../../protocol/frame.ts"
import { callIdOf } from "../../protocol/hello.ts"
import { ENV_PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { ItemJoiner } from "../../protocol/streams/item-joiner.ts"
import { type Names, type Outcome, readOutcome } from "../outcome.ts"
import type { BlockingStream, Chunk } from "./blocking-caller.ts"
import type { Batch } from "./resident.ts"

/** A stream that the resident thread keeps, fetched from it chunk by chunk. */
export class ResidentStream implements BlockingStream {
  readonly #names: Names
  readonly #timeoutMs: number
  readonly #thread: ThreadSide
  readonly #joiner = new ItemJoiner(ENV_PAYLOAD_BYTES_MAX)
  #dueAt = 0
  /** Under which the thread keeps the stream, while it does. */
  #number: number | undefined
  #isOver = false

  constructor(names: Names, timeoutMs: number, thread: ThreadSide) {
    this.#names = names
    this.#timeoutMs = timeoutMs
    this.#thread = thread
  }

  next(): Chunk {
    try {
      return this.#read(this.#fetch())
    } catch (error) {
      this.release()
      const { env, function: fn } = this.#names
      const thrown = asBunhouseError(error, `the blocking call of ${env}/${fn}`)
      return { items: [], end: { kind: "threw", thrown, wasPromise: false } }
    }
  }

  release(): void {
    if (this.#isOver || this.#number === undefined) return
    this.#isOver = true
    this.#thread.release(this.#number)
  }

  #fetch(): Batch {
    if (this.#number !== undefined) {
      const left = this.#dueAt === 0 ? 0 : Math.max(1, this.#dueAt - now())
      return this.#thread.next(this.#number, left)
    }
    this.#dueAt = this.#timeoutMs === 0 ? 0 : now() + this.#timeoutMs
    const batch = this.#thread.open()
    this.#number = batch.number
    return batch
  }

  #read({ batch, bootId }: Batch): Chunk {
    const items: Uint8Array[] = []
    let end: Outcome | undefined
    const frame = new FrameReader()
    frame.open(batch)
    while (frame.next()) {
      if (frame.type === FrameType.items) {
        const goesOn = (frame.flags & FrameFlag.goesOn) !== 0
        for (const whole of this.#joiner.add(frame.payload, goesOn)) items.push(whole)
      } else end = this.#outcome(frame, bootId)
    }
    if (end?.kind === "returned") this.#joiner.finish()
    this.#isOver = end !== undefined
    return { items, end }
  }

  #outcome(frame: FrameReader, bootId: string): Outcome {
    const { serial } = frame
    return readOutcome(frame, this.#names, () => callIdOf(bootId, serial))
  }
}

/** The questions to the thread. They throw what has failed. */
export interface ThreadSide {
  /** The number of its answer names the stream. */
  open(): Batch
  next(stream: number, leftMs: number): Batch
  release(stream: number): void
}
