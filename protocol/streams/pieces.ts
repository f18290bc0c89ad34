import { BunhouseError } from "../errors.ts"
import { viewOf } from "../frame-layout.ts"
import { LENGTH_BYTES } from "./items.ts"

/**
 * Items that are too large for one frame. They are cut where the credit or a frame ends: the payloads of the frames, one
 * behind the other, are what one large frame would have held (items.ts), and each frame but the last has the flag `goesOn`.
 * Whoever forwards may join such frames, so that others stand before and behind a piece.
 */

/** An item on its way out. */
export class CutItem {
  readonly #item: Uint8Array
  #sent = 0

  /** The bytes are not written to again. */
  constructor(item: Uint8Array) {
    this.#item = item
  }

  /** Bytes that are yet to be taken. */
  get left(): number {
    return this.#item.length - this.#sent
  }

  /** The payload of the next frame, with up to `bytes` of the item. */
  take(bytes: number): Uint8Array {
    const item = this.#item
    const from = this.#sent
    this.#sent = Math.min(item.length, from + bytes)
    const piece = item.subarray(from, this.#sent)
    if (from > 0) return piece
    const first = Buffer.allocUnsafeSlow(LENGTH_BYTES + piece.length)
    first.writeUInt32LE(item.length)
    first.set(piece, LENGTH_BYTES)
    return first
  }
}

/**
 * Walks the payloads of a stream, whole items and pieces alike. The fields are about the piece that `next` moved to, which
 * stands from `start` to `end`; a whole item is one piece.
 */
export class PieceReader {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0
  /** Of the item. */
  length = 0
  /** Bytes of the item behind this piece. */
  left = 0
  /** The item begins with this piece. */
  isFirst = false
  #view = viewOf(this.bytes)
  #goesOn = false

  /** Stands before the first piece of the next payload. */
  open(bytes: Uint8Array, goesOn: boolean): void {
    this.bytes = bytes
    this.#view = viewOf(bytes)
    this.#goesOn = goesOn
    this.end = 0
  }

  /** False behind the last piece. Throws PROTOCOL_ERROR where that is not where the frame says that it is. */
  next(): boolean {
    const at = this.end
    const { length } = this.bytes
    if (at === length) {
      if (this.left > 0 === this.#goesOn) return false
      throw cutShort(this.#goesOn ? "goes on behind its end" : "is cut short")
    }
    this.isFirst = this.left === 0
    if (this.isFirst) {
      this.start = at + LENGTH_BYTES
      if (this.start > length) throw cutShort("is cut short")
      this.length = this.left = this.#view.getUint32(at, true)
    } else {
      this.start = at
    }
    const bytes = Math.min(this.left, length - this.start)
    this.end = this.start + bytes
    this.left -= bytes
    return true
  }
}

function cutShort(how: string): BunhouseError {
  return new BunhouseError("PROTOCOL_ERROR", `an item of a stream ${how}`)
}
