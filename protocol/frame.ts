import { BunhouseError } from "./errors.ts"
import { BATCH_BYTES_TARGET, BODY_BYTES_MAX, EXTRA_BYTES_MAX } from "./limits.ts"
import { CONNECTION_ID, FrameFlag, FrameType, isFrameType, ReportKind } from "./frame-types.ts"
import { PROTOCOL_VERSION } from "./version.ts"

/**
 * Frames: how calls and replies look on every hop. A message (WebSocket message, NATS message, HTTP body) is one
 * batch of frames, so that the cost of a hop is shared by all calls of a tick. docs/protocol.md is the long form.
 *
 *     batch  = 'b' 'h' version 0  frame*
 *     frame  = header extra payload
 *     header = u32 length   u8 type   u8 flags   u16 extraLength
 *              u32 id       u32 target   u32 timeoutMs   u32 serial      (little-endian, 24 bytes)
 *
 * Invariants:
 * F1. Who forwards a frame needs only its header; the payload is opaque (`copyFrom` never looks inside).
 * F2. A batch that is cut short, oversized or of another version is refused as a whole before any frame is used:
 *     `open` walks the lengths first, so half a batch never runs.
 * F3. Reading and writing allocate nothing per frame.
 */

export { CONNECTION_ID, FrameFlag, FrameType, ReportKind }

export const HEADER_BYTES = 24
export const BATCH_PREFIX_BYTES = 4
const MAGIC_0 = 0x62
const MAGIC_1 = 0x68
const FIRST_BUFFER_BYTES = 2048

const EMPTY = new Uint8Array(0)

/** The header fields of one frame. Fields that a type does not use are 0. */
interface FrameHeader {
  /** One of `FrameType`: `open` refuses others. */
  readonly type: number
  readonly flags: number
  /** Names the call on this hop. A forwarder replaces it by its own. */
  readonly id: number
  /** call, bind: number that stands for env and function on this hop. items: the stream. credit: items granted. */
  readonly target: number
  /** call: time left until the deadline, 0 for none. items: how many. credit: bytes granted. */
  readonly timeoutMs: number
  /** Number that the daemon gave the call; with the daemon's boot id it is the public call id. credit: the stream. */
  readonly serial: number
}

/** Collects frames into a batch. One writer per destination. */
export class FrameWriter {
  #buffer: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES)
  #view = viewOf(this.#buffer)
  #length = BATCH_PREFIX_BYTES

  get isEmpty(): boolean {
    return this.#length === BATCH_PREFIX_BYTES
  }

  /** Bytes collected so far, prefix included. */
  get byteLength(): number {
    return this.#length
  }

  write(
    type: FrameType,
    flags: number,
    id: number,
    target: number,
    timeoutMs: number,
    serial: number,
    payload: Uint8Array = EMPTY,
    extra: Uint8Array = EMPTY,
  ): void {
    // The reader would refuse the whole batch, and with it the calls of others.
    if (extra.length > EXTRA_BYTES_MAX) throw protocolError("a frame with oversized metadata")
    const start = this.#begin(HEADER_BYTES + extra.length + payload.length)
    this.#header(start, type, flags, extra.length, id, target, timeoutMs, serial)
    if (extra.length > 0) this.#buffer.set(extra, start + HEADER_BYTES)
    this.#buffer.set(payload, start + HEADER_BYTES + extra.length)
  }

  /** Adds a whole frame as it is. */
  append(frame: Uint8Array): void {
    const start = this.#begin(frame.length) // may replace the buffer
    this.#buffer.set(frame, start)
  }

  /** Forwards the reader's current frame under another id, target and time left (F1). */
  copyFrom(
    reader: FrameReader,
    id: number,
    target: number,
    timeoutMs: number,
    serial: number,
  ): void {
    this.copyBytes(reader.bytes, reader.start, reader.end, id, target, timeoutMs, serial)
  }

  /** Forwards a whole frame that stands in `bytes` from `from` to `to`. */
  copyBytes(
    bytes: Uint8Array,
    from: number,
    to: number,
    id: number,
    target: number,
    timeoutMs: number,
    serial: number,
  ): void {
    const start = this.#begin(to - from)
    if (from === 0 && to === bytes.length) this.#buffer.set(bytes, start)
    else this.#buffer.set(bytes.subarray(from, to), start)
    const view = this.#view
    view.setUint32(start + 8, id, true)
    view.setUint32(start + 12, target, true)
    view.setUint32(start + 16, timeoutMs, true)
    view.setUint32(start + 20, serial, true)
  }

  /** The batch; the writer starts a new one. The bytes belong to the caller from here on. */
  take(): Buffer<ArrayBuffer> {
    const batch = this.#buffer.subarray(0, this.#length)
    batch[0] = MAGIC_0
    batch[1] = MAGIC_1
    batch[2] = PROTOCOL_VERSION
    batch[3] = 0
    // The next batch is likely of this size: twice it is room enough, and a burst is forgotten again.
    const next = this.#length > BATCH_BYTES_TARGET * 2 ? 0 : this.#length * 2
    this.#replace(Math.max(FIRST_BUFFER_BYTES, next))
    this.#length = BATCH_PREFIX_BYTES
    return batch
  }

  #begin(bytes: number): number {
    const start = this.#length
    const end = start + bytes
    if (end > this.#buffer.length) {
      const old = this.#buffer
      this.#replace(Math.max(end, old.length * 2))
      this.#buffer.set(old.subarray(0, start))
    }
    this.#length = end
    this.#view.setUint32(start, bytes, true)
    return start
  }

  #header(
    at: number,
    type: FrameType,
    flags: number,
    extraLength: number,
    id: number,
    target: number,
    timeoutMs: number,
    serial: number,
  ): void {
    const view = this.#view
    view.setUint32(at + 4, type | (flags << 8) | (extraLength << 16), true)
    view.setUint32(at + 8, id, true)
    view.setUint32(at + 12, target, true)
    view.setUint32(at + 16, timeoutMs, true)
    view.setUint32(at + 20, serial, true)
  }

  #replace(bytes: number): void {
    this.#buffer = Buffer.allocUnsafeSlow(bytes)
    this.#view = viewOf(this.#buffer)
  }
}

/** Walks the frames of one batch; the fields describe the frame that `next` moved to. One reader, reused. */
export class FrameReader implements FrameHeader {
  bytes: Uint8Array = EMPTY
  start = 0
  end = 0
  type = 0
  flags = 0
  id = 0
  target = 0
  timeoutMs = 0
  serial = 0
  /** Where the payload begins; it ends at `end`. */
  payloadStart = 0
  #extraStart = 0
  #view = viewOf(EMPTY)

  /** Checks a whole batch (F2) and stands before its first frame. Returns the number of frames. */
  open(bytes: Uint8Array): number {
    const view = viewOf(bytes)
    // A batch that is refused leaves a reader without frames, not with those of the batch before it.
    this.bytes = EMPTY
    this.end = BATCH_PREFIX_BYTES
    const count = checkBatch(bytes, view)
    this.bytes = bytes
    this.#view = view
    return count
  }

  next(): boolean {
    const start = this.end
    if (start >= this.bytes.length) return false
    const view = this.#view
    this.start = start
    this.end = start + view.getUint32(start, true)
    const word = view.getUint32(start + 4, true)
    this.type = word & 0xff
    this.flags = (word >>> 8) & 0xff
    this.id = view.getUint32(start + 8, true)
    this.target = view.getUint32(start + 12, true)
    this.timeoutMs = view.getUint32(start + 16, true)
    this.serial = view.getUint32(start + 20, true)
    this.#extraStart = start + HEADER_BYTES
    this.payloadStart = this.#extraStart + (word >>> 16)
    return true
  }

  /** A view of the payload, valid as long as the batch's bytes are. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.payloadStart, this.end)
  }

  get extra(): Uint8Array {
    return this.bytes.subarray(this.#extraStart, this.payloadStart)
  }

  get hasExtra(): boolean {
    return this.payloadStart > this.#extraStart
  }

  /** Whether the batch holds this frame and no other. */
  get isAlone(): boolean {
    return this.start === BATCH_PREFIX_BYTES && this.end === this.bytes.length
  }

  /** Changes the batch itself: the frame gets another id, target and time left, and can be forwarded as it stands (F1). */
  rename(id: number, target: number, timeoutMs: number, serial: number): void {
    const view = this.#view
    view.setUint32(this.start + 8, id, true)
    view.setUint32(this.start + 12, target, true)
    view.setUint32(this.start + 16, timeoutMs, true)
    view.setUint32(this.start + 20, serial, true)
  }

  /** A copy of the whole frame, for a queue. */
  copy(): Uint8Array {
    // `slice` of a Buffer is a view, which would keep the whole batch alive.
    return new Uint8Array(this.bytes.subarray(this.start, this.end))
  }
}

function checkBatch(bytes: Uint8Array, view: DataView): number {
  const length = bytes.length
  if (length < BATCH_PREFIX_BYTES || bytes[0] !== MAGIC_0 || bytes[1] !== MAGIC_1) {
    throw protocolError("expected a batch of frames, got other bytes")
  }
  if (length > BODY_BYTES_MAX) {
    throw protocolError(`a batch of ${length} bytes is over the limit of ${BODY_BYTES_MAX}`)
  }
  if (bytes[2] !== PROTOCOL_VERSION) {
    throw new BunhouseError(
      "VERSION_MISMATCH",
      `the peer speaks protocol ${bytes[2]}, this side speaks ${PROTOCOL_VERSION}: use the same bunhouse version on both sides`,
    )
  }
  let count = 0
  let at = BATCH_PREFIX_BYTES
  while (at < length) {
    if (length - at < HEADER_BYTES) throw protocolError(`frame ${count} is cut short`)
    const frameLength = view.getUint32(at, true)
    const word = view.getUint32(at + 4, true)
    const extraLength = word >>> 16
    if (frameLength < HEADER_BYTES + extraLength || frameLength > length - at) {
      throw protocolError(`frame ${count} states a length of ${frameLength} bytes, which cannot be`)
    }
    if (extraLength > EXTRA_BYTES_MAX) throw protocolError(`frame ${count} has oversized metadata`)
    const type = word & 0xff
    if (!isFrameType(type)) {
      throw protocolError(`frame ${count} is of the unknown type ${type}`)
    }
    at += frameLength
    count++
  }
  return count
}

function protocolError(message: string): BunhouseError {
  return new BunhouseError("PROTOCOL_ERROR", message)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
