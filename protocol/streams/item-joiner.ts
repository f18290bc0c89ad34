import { BunhouseError } from "../errors.ts"
import { PAYLOAD_BYTES_MAX } from "../limits.ts"
import { LENGTH_BYTES } from "./items.ts"
import { PieceReader } from "./pieces.ts"

/**
 * Puts items together that arrive in pieces. Each byte is copied once, to where it belongs.
 *
 * Invariants:
 * J1. There is at most one item that is not whole yet, of at most `bytesMax`.
 * J2. Only what does not fit a frame may come in pieces.
 */
export class ItemJoiner {
  readonly #bytesMax: number
  readonly #pieces = new PieceReader()
  #open: OpenItem | undefined

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** The item of which some has arrived. */
  get open(): OpenItem | undefined {
    return this.#open
  }

  /**
   * Takes in the payload of a frame. Returns payloads of whole items (items.ts): views of it, or memory of their own.
   *
   * @throws {BunhouseError} PROTOCOL_ERROR, and PAYLOAD_TOO_LARGE for an item of more than `bytesMax`.
   */
  add(payload: Uint8Array, goesOn: boolean): readonly Uint8Array[] {
    if (!goesOn && this.#open === undefined) return [payload]
    const pieces = this.#pieces
    const whole: Uint8Array[] = []
    pieces.open(payload, goesOn)
    while (pieces.next()) {
      const { start, end, isFirst, left } = pieces
      if (isFirst && left === 0) {
        whole.push(payload.subarray(start - LENGTH_BYTES, end))
        continue
      }
      if (isFirst) this.#open = this.#begin(pieces.length)
      const item = this.#open
      if (item === undefined) continue
      item.payload.set(payload.subarray(start, end), LENGTH_BYTES + item.arrived)
      item.arrived += end - start
      if (left > 0) continue
      this.#open = undefined
      whole.push(item.payload)
    }
    return whole
  }

  /** The stream has ended, and said that nothing is missing. Throws PROTOCOL_ERROR. */
  finish(): void {
    if (this.#open === undefined) return
    throw new BunhouseError("PROTOCOL_ERROR", "a stream ended in the middle of an item")
  }

  #begin(length: number): OpenItem {
    if (length > this.#bytesMax) {
      const message = `an item of the stream takes ${length} bytes, over the limit of ${this.#bytesMax}`
      throw new BunhouseError("PAYLOAD_TOO_LARGE", message, { ran: "yes" })
    }
    if (length <= PAYLOAD_BYTES_MAX) {
      const message = `an item of ${length} bytes comes in pieces, and would fit a frame`
      throw new BunhouseError("PROTOCOL_ERROR", message)
    }
    const payload = Buffer.allocUnsafeSlow(LENGTH_BYTES + length)
    payload.writeUInt32LE(length)
    return { payload, length, arrived: 0, granted: 0 }
  }
}

export interface OpenItem {
  /** The length, and the item behind it. */
  readonly payload: Buffer
  readonly length: number
  arrived: number
  /** What of it was granted again before it was whole; kept by whoever grants. */
  granted: number
}
