import { BunhouseError } from "../errors.ts"

/**
 * The payload of an items frame: items that were encoded one by one, each behind its length.
 *
 *     payload = ( u32 length  item )*      (little-endian)
 */

/** Before each item. */
export const LENGTH_BYTES = 4
const FIRST_BUFFER_BYTES = 2048
const KEPT_BUFFER_BYTES = 1 << 20

/** Collects items into payloads. */
export class ItemWriter {
  #buffer = Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES)
  #length = 0
  /** Items collected so far. */
  count = 0

  get byteLength(): number {
    return this.#length
  }

  /** Copies the item: generators use their objects again, and encoders their buffers. */
  add(item: Uint8Array): void {
    const start = this.#length
    const end = start + LENGTH_BYTES + item.length
    if (end > this.#buffer.length) this.#grow(end)
    this.#buffer.writeUInt32LE(item.length, start)
    this.#buffer.set(item, start + LENGTH_BYTES)
    this.#length = end
    this.count++
  }

  /** What was collected; the bytes are valid until the next `add`. */
  take(): Uint8Array {
    const payload = this.#buffer.subarray(0, this.#length)
    this.#length = 0
    this.count = 0
    if (this.#buffer.length > KEPT_BUFFER_BYTES) {
      this.#buffer = Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES)
    }
    return payload
  }

  #grow(bytes: number): void {
    const old = this.#buffer
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytes, old.length * 2))
    this.#buffer.set(old.subarray(0, this.#length))
  }
}

/** Walks the items of one payload; `start` and `end` say where the item stands that `next` moved to. */
export class ItemReader {
  readonly bytes: Uint8Array
  start = 0
  end = 0
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** False behind the last item. Throws PROTOCOL_ERROR where an item is cut short. */
  next(): boolean {
    const at = this.end
    const { length } = this.bytes
    if (at === length) return false
    const start = at + LENGTH_BYTES
    const end = start > length ? start : start + this.#view.getUint32(at, true)
    if (end > length) throw new BunhouseError("PROTOCOL_ERROR", "an item of a stream is cut short")
    this.start = start
    this.end = end
    return true
  }
}
