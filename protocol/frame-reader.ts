import { BunhouseError } from "./errors.ts"
import {
  BATCH_PREFIX_BYTES,
  HEADER_BYTES,
  MAGIC_0,
  MAGIC_1,
  bufferOf,
  NO_BYTES,
  viewOf,
} from "./frame-layout.ts"
import { isFrameType } from "./frame-types.ts"
import { BODY_BYTES_MAX, EXTRA_BYTES_MAX } from "./limits.ts"
import { PROTOCOL_VERSION } from "./version.ts"

/** The header fields of one frame. Fields that a type does not use are 0. */
interface FrameHeader {
  /** One of `FrameType`: `open` refuses others. */
  readonly type: number
  readonly flags: number
  /** Names the call on this hop. A forwarder replaces it by its own. */
  readonly id: number
  /** call, bind: number that stands for env and function on this hop. items: the stream. credit: items granted. part: where it begins. */
  readonly target: number
  /** call: time left until the deadline, 0 for none. items: how many. credit: bytes granted. part: bytes of the whole. */
  readonly timeoutMs: number
  /**
   * Number that the daemon gave the call; with the daemon's boot id it is the public call id. credit: the stream. call,
   * before the daemon: bytes of a payload that comes in parts; else the daemon's id of the call that it is made in.
   */
  readonly serial: number
}

/** Walks the frames of one batch; the fields describe the frame that `next` moved to. One reader, reused. */
export class FrameReader implements FrameHeader {
  bytes: Uint8Array = NO_BYTES
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
  #limit = 0
  #view = viewOf(NO_BYTES)
  #buffer: Buffer | undefined

  /**
   * Checks a whole batch (F2) and stands before its first frame. Returns the number of frames. More than `bytesMax` is
   * for what never was one message.
   */
  open(bytes: Uint8Array, bytesMax = BODY_BYTES_MAX): number {
    const view = viewOf(bytes)
    // A batch that is refused leaves a reader without frames, not with those of the batch before it.
    this.bytes = NO_BYTES
    this.#limit = 0
    this.#buffer = undefined
    this.end = BATCH_PREFIX_BYTES
    const count = checkBatch(bytes, view, bytesMax)
    this.bytes = bytes
    this.#limit = bytes.length
    this.#view = view
    return count
  }

  /**
   * Stands before the frames of a batch that this program has written itself: they are not checked. Costs little where
   * `buffer` is the one of the last time, filled anew; the batch ends at `length`.
   */
  reopen(buffer: Buffer, length: number): void {
    if (this.bytes !== buffer) {
      this.bytes = buffer
      this.#buffer = buffer
      this.#view = viewOf(buffer)
    }
    this.#limit = length
    this.end = BATCH_PREFIX_BYTES
  }

  next(): boolean {
    const start = this.end
    if (start >= this.#limit) return false
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

  /** The batch's own bytes, in the class that can copy and read a part of them without a view of it (F3). */
  get buffer(): Buffer {
    return (this.#buffer ??= bufferOf(this.bytes))
  }

  /** A view of the payload, valid as long as the batch's bytes are. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.payloadStart, this.end)
  }

  /** The payload as text. */
  get text(): string {
    return this.buffer.toString("utf8", this.payloadStart, this.end)
  }

  get extra(): Uint8Array {
    return this.bytes.subarray(this.#extraStart, this.payloadStart)
  }

  get hasExtra(): boolean {
    return this.payloadStart > this.#extraStart
  }

  /** Whether the batch holds this frame and no other. */
  get isAlone(): boolean {
    return this.start === BATCH_PREFIX_BYTES && this.end === this.#limit
  }

  /** Changes the batch itself: the frame gets another id, target and time left, and can be used as it stands (F1). */
  rename(id: number, target: number, timeoutMs: number, serial: number): void {
    const view = this.#view
    this.id = id
    this.target = target
    this.timeoutMs = timeoutMs
    this.serial = serial
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

function checkBatch(bytes: Uint8Array, view: DataView, bytesMax: number): number {
  const length = bytes.length
  if (length < BATCH_PREFIX_BYTES || bytes[0] !== MAGIC_0 || bytes[1] !== MAGIC_1) {
    throw protocolError("expected a batch of frames, got other bytes")
  }
  if (length > bytesMax) {
    throw protocolError(`a batch of ${length} bytes is over the limit of ${bytesMax}`)
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
