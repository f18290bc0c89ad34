import { BunhouseError } from "./errors.ts"
import {
  BATCH_PREFIX_BYTES,
  HEADER_BYTES,
  MAGIC_0,
  MAGIC_1,
  NO_BYTES,
  UTF8_BYTES_MAX,
  viewOf,
} from "./frame-layout.ts"
import type { FrameReader } from "./frame-reader.ts"
import type { FrameType } from "./frame-types.ts"
import { BATCH_BYTES_TARGET, EXTRA_BYTES_MAX } from "./limits.ts"
import { PROTOCOL_VERSION } from "./version.ts"

/** Collects frames into a batch. One writer per destination. */
export class FrameWriter {
  #buffer: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES)
  #view = viewOf(this.#buffer)
  #length = BATCH_PREFIX_BYTES

  get isEmpty(): boolean {
    return this.#length === BATCH_PREFIX_BYTES
  }

  /** What is collected, in its first `byteLength` bytes but for the prefix; valid until it changes. */
  get buffer(): Buffer {
    return this.#buffer
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
    payload: Uint8Array = NO_BYTES,
    extra: Uint8Array = NO_BYTES,
  ): void {
    // The reader would refuse the whole batch, and with it the calls of others.
    if (extra.length > EXTRA_BYTES_MAX) {
      throw new BunhouseError("PROTOCOL_ERROR", "a frame with oversized metadata")
    }
    const start = this.#begin(HEADER_BYTES + extra.length + payload.length)
    writeHeader(this.#view, start, type, flags, extra.length, id, target, timeoutMs, serial)
    if (extra.length > 0) this.#buffer.set(extra, start + HEADER_BYTES)
    this.#buffer.set(payload, start + HEADER_BYTES + extra.length)
  }

  /** A frame whose payload is text, which goes into the batch without a buffer of its own (F3). */
  writeText(
    type: FrameType,
    id: number,
    target: number,
    timeoutMs: number,
    serial: number,
    text: string,
  ): void {
    const start = this.#begin(HEADER_BYTES + text.length * UTF8_BYTES_MAX)
    writeHeader(this.#view, start, type, 0, 0, id, target, timeoutMs, serial)
    const bytes = HEADER_BYTES + this.#buffer.write(text, start + HEADER_BYTES, "utf8")
    this.#view.setUint32(start, bytes, true)
    this.#length = start + bytes
  }

  /** Adds a whole frame as it is. */
  append(frame: Uint8Array): void {
    const start = this.#begin(frame.length) // may replace the buffer
    this.#buffer.set(frame, start)
  }

  /** Forwards the reader's current frame under another id, target and time left (F1, F3). */
  copyFrom(
    reader: FrameReader,
    id: number,
    target: number,
    timeoutMs: number,
    serial: number,
  ): void {
    const start = this.#begin(reader.end - reader.start)
    reader.buffer.copy(this.#buffer, start, reader.start, reader.end)
    this.#address(start, id, target, timeoutMs, serial)
  }

  /** The same for a whole frame that was kept. */
  copyBytes(
    frame: Uint8Array,
    id: number,
    target: number,
    timeoutMs: number,
    serial: number,
  ): void {
    const start = this.#begin(frame.length)
    this.#buffer.set(frame, start)
    this.#address(start, id, target, timeoutMs, serial)
  }

  #address(start: number, id: number, target: number, timeoutMs: number, serial: number): void {
    const view = this.#view
    view.setUint32(start + 8, id, true)
    view.setUint32(start + 12, target, true)
    view.setUint32(start + 16, timeoutMs, true)
    view.setUint32(start + 20, serial, true)
  }

  /** The batch; the writer starts a new one. The bytes belong to the caller from here on. */
  take(): Buffer<ArrayBuffer> {
    const batch = this.#buffer.subarray(0, this.#length)
    writePrefix(batch)
    // The next batch is likely of this size: twice it is room enough, and a burst is forgotten again.
    const next = this.#length > BATCH_BYTES_TARGET * 2 ? 0 : this.#length * 2
    this.#replace(Math.max(FIRST_BUFFER_BYTES, next))
    this.#length = BATCH_PREFIX_BYTES
    return batch
  }

  /** Forgets what was collected, and keeps the memory. */
  clear(): void {
    this.#length = BATCH_PREFIX_BYTES
    if (this.#buffer.length > BATCH_BYTES_TARGET) this.#replace(FIRST_BUFFER_BYTES)
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

  #replace(bytes: number): void {
    this.#buffer = Buffer.allocUnsafeSlow(bytes)
    this.#view = viewOf(this.#buffer)
  }
}

export function writePrefix(batch: Uint8Array): void {
  batch[0] = MAGIC_0
  batch[1] = MAGIC_1
  batch[2] = PROTOCOL_VERSION
  batch[3] = 0
}

/** All of the header at `at` but the length of the frame. */
export function writeHeader(
  view: DataView,
  at: number,
  type: number,
  flags: number,
  extraLength: number,
  id: number,
  target: number,
  timeoutMs: number,
  serial: number,
): void {
  view.setUint32(at + 4, type | (flags << 8) | (extraLength << 16), true)
  view.setUint32(at + 8, id, true)
  view.setUint32(at + 12, target, true)
  view.setUint32(at + 16, timeoutMs, true)
  view.setUint32(at + 20, serial, true)
}

const FIRST_BUFFER_BYTES = 2048
