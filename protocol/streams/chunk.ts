import { NO_EXTRA } from "../extra.ts"
import { type BunhouseError, encodeErrorRecord } from "../errors.ts"
import { FrameFlag, type FrameReader, FrameType, type FrameWriter, HEADER_BYTES } from "../frame.ts"
import { BODY_BYTES_MAX } from "../limits.ts"
import { type Credit, RESULT_STREAM } from "./credit.ts"
import { LENGTH_BYTES } from "./items.ts"

/**
 * What has arrived of a stream for somebody who comes and fetches it: items, and in the end the reply or the error.
 *
 * Invariants:
 * Q1. Chunks are taken one after another; each has what has arrived since the one before: at least one item, half a
 *     window of one that goes on in the next chunk, or the end.
 * Q2. What was taken is to be granted again (`take` says how much), so that what waits here stays within the window.
 */
export class ChunkBuffer {
  #payloads: Uint8Array[] = []
  #items = 0
  #bytes = 0
  /** The last item is not whole. */
  #goesOn = false
  readonly #windowBytes: number
  #end: End | undefined
  #waiting: (() => void) | undefined

  /** `windowBytes`: what was granted. Without it any piece of an item is worth a chunk. */
  constructor(windowBytes = 0) {
    this.#windowBytes = windowBytes
  }

  /** Takes in the items that `frame` stands on. False when there is more than any window allows. */
  add(frame: FrameReader): boolean {
    const payload = new Uint8Array(frame.payload)
    this.#payloads.push(payload)
    this.#items += frame.timeoutMs
    this.#bytes += payload.length
    this.#goesOn = (frame.flags & FrameFlag.goesOn) !== 0
    this.#wake()
    return this.#bytes + HEADER_BYTES < BODY_BYTES_MAX
  }

  /** Takes in the end: the reply or error frame that `frame` stands on. The first end counts. */
  end({ type, flags, payload, extra }: FrameReader, serial: number): void {
    const kind = type === FrameType.reply ? FrameType.reply : FrameType.error
    const copies = { payload: new Uint8Array(payload), extra: new Uint8Array(extra) }
    this.#end ??= { type: kind, flags, serial, ...copies }
    this.#wake()
  }

  fail(error: BunhouseError, serial: number): void {
    const payload = encodeErrorRecord(error)
    this.#end ??= { type: FrameType.error, flags: 0, serial, payload, extra: NO_EXTRA }
    this.#wake()
  }

  /** Whether there is something to take (Q1). */
  get isFilled(): boolean {
    if (this.#end !== undefined) return true
    if (this.#goesOn && this.#bytes * 2 < this.#windowBytes) return false
    return this.#payloads.length > 0
  }

  /** Resolves when there is something to take. One at a time. */
  async filled(): Promise<void> {
    while (!this.isFilled) await new Promise<void>((resolve) => (this.#waiting = resolve))
  }

  /** Moves what has arrived into `writer`, under the id `id`. The end comes with the last items, or after them. */
  take(writer: FrameWriter, id: number): Taken {
    const items = this.#items
    const bytes = Math.max(0, this.#bytes - items * LENGTH_BYTES)
    const payload = Buffer.concat(this.#payloads)
    const itemFlags = this.#goesOn ? FrameFlag.goesOn : 0
    if (payload.length > 0) {
      writer.write(FrameType.items, itemFlags, id, RESULT_STREAM, items, 0, payload)
    }
    this.#payloads = []
    this.#items = 0
    this.#bytes = 0
    const end = this.#end
    if (end === undefined) return { credit: { items, bytes }, isLast: false }
    const { type, flags, serial, payload: value, extra } = end
    const bytesMore = HEADER_BYTES + value.length + extra.length
    const isLast = writer.byteLength + bytesMore <= BODY_BYTES_MAX
    if (isLast) writer.write(type, flags, id, 0, 0, serial, value, extra)
    return { credit: { items, bytes }, isLast }
  }

  #wake(): void {
    this.#waiting?.()
    this.#waiting = undefined
  }
}

export interface Taken {
  readonly credit: Credit
  /** The end was taken. */
  readonly isLast: boolean
}

interface End {
  readonly type: FrameType
  readonly flags: number
  readonly serial: number
  readonly payload: Uint8Array
  readonly extra: Uint8Array
}
