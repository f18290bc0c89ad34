import { BunhouseError } from "../errors.ts"
import { BATCH_PREFIX_BYTES, HEADER_BYTES, viewOf } from "../frame-layout.ts"
import { FrameFlag, FrameReader } from "../frame.ts"
import { writeHeader, writePrefix } from "../frame-writer.ts"
import type { Part } from "./part.ts"
import { windowFor } from "./window.ts"

/**
 * A frame whose payload arrives in parts. Each part is copied once, to where it belongs, so that memory is that of the
 * payload and of what is on the way.
 *
 * Invariants:
 * A1. Parts arrive in order, as of one payload; anything else is refused.
 * A2. No more is on the way than was granted: at most a window, which is the smaller the more payloads arrive at once.
 */
export class FrameAssembly {
  readonly #parts: AssemblyParts
  /** Undefined before the first part, which says how much there will be. */
  #batch: Buffer<ArrayBuffer> | undefined
  #total = 0
  #received = 0
  #granted = 0

  constructor(parts: AssemblyParts) {
    this.#parts = parts
  }

  /**
   * Takes a part in, and grants more. Says whether it was the last.
   *
   * @throws {BunhouseError} PAYLOAD_TOO_LARGE, PROTOCOL_ERROR (A1).
   */
  add({ at, total, bytes }: Part): boolean {
    const batch = (this.#batch ??= this.#allocate(total))
    const end = at + bytes.length
    if (at !== this.#received || total !== this.#total || end > total) {
      const message = `a part of a payload does not fit: bytes ${at} to ${end} of ${total} after ${this.#received} of ${this.#total}`
      throw new BunhouseError("PROTOCOL_ERROR", message)
    }
    batch.set(bytes, this.#payloadStart + at)
    this.#received = end
    this.grant()
    return end === total
  }

  /** Grants what may be on the way (A2), before the first part as well. */
  grant(): void {
    const window = windowFor(this.#parts.others() + 1)
    const onTheWay = this.#granted - this.#received
    const left = this.#batch === undefined ? window : this.#total - this.#granted
    const bytes = Math.min(window - onTheWay, left)
    // Half a window at a time, so that few frames grant.
    if (bytes <= 0 || (bytes < left && onTheWay * 2 > window)) return
    this.#granted += bytes
    this.#parts.grant(bytes)
  }

  /** The whole frame, once all parts are there. Throws PROTOCOL_ERROR where some are missing. */
  finish(head: AssembledHead): FrameReader {
    const batch = this.#batch
    if (batch === undefined || this.#received < this.#total) {
      throw new BunhouseError("PROTOCOL_ERROR", "the payload of a frame did not arrive as a whole")
    }
    const { type, flags, id, target, timeoutMs, serial } = head
    const { extra } = this.#parts
    const start = BATCH_PREFIX_BYTES
    const view = viewOf(batch)
    writePrefix(batch)
    view.setUint32(start, batch.length - start, true)
    writeHeader(
      view,
      start,
      type,
      flags & ~FrameFlag.parts,
      extra.length,
      id,
      target,
      timeoutMs,
      serial,
    )
    batch.set(extra, start + HEADER_BYTES)
    const frame = new FrameReader()
    frame.open(batch, batch.length)
    frame.next()
    return frame
  }

  get #payloadStart(): number {
    return BATCH_PREFIX_BYTES + HEADER_BYTES + this.#parts.extra.length
  }

  #allocate(total: number): Buffer<ArrayBuffer> {
    const { bytesMax } = this.#parts
    if (total > bytesMax) {
      const message = `a payload takes ${total} bytes, over the limit of ${bytesMax}`
      throw new BunhouseError("PAYLOAD_TOO_LARGE", message)
    }
    this.#total = total
    return Buffer.allocUnsafeSlow(this.#payloadStart + total)
  }
}

export interface AssemblyParts {
  /** Of the frame. */
  readonly extra: Uint8Array
  readonly bytesMax: number
  /** Other payloads that arrive here at the same time. */
  readonly others: () => number
  readonly grant: (bytes: number) => void
}

/** As the call or reply frame said that came without its payload. */
export interface AssembledHead {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly target: number
  readonly timeoutMs: number
  readonly serial: number
}
