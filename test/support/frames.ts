import { FrameReader, type FrameType, FrameWriter } from "../../protocol/frame.ts"

/** One frame, in the parts that tests look at. */
export interface SeenFrame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly target: number
  readonly timeoutMs: number
  readonly serial: number
  readonly text: string
  /** Metadata; empty for none. */
  readonly extra: string
}

/** A batch of one frame. */
export function batchOf(
  type: FrameType,
  {
    id = 0,
    target = 0,
    timeoutMs = 0,
    flags = 0,
    serial = 0,
    payload = "",
    extra = "",
  }: FrameParts = {},
): Buffer<ArrayBuffer> {
  const writer = new FrameWriter()
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload
  writer.write(type, flags, id, target, timeoutMs, serial, bytes, Buffer.from(extra))
  return writer.take()
}

export interface FrameParts {
  readonly id?: number
  readonly target?: number
  readonly timeoutMs?: number
  readonly flags?: number
  readonly serial?: number
  readonly payload?: string | Uint8Array
  readonly extra?: string
}

/** Several batches as one. */
export function joined(...batches: readonly Uint8Array[]): Buffer<ArrayBuffer> {
  const [first = new Uint8Array(), ...others] = batches
  return Buffer.concat([first, ...others.map((batch) => batch.subarray(4))])
}

/** A reader that stands on the first frame of a batch. */
export function standingOn(batch: Uint8Array): FrameReader {
  const frame = new FrameReader()
  frame.open(batch)
  frame.next()
  return frame
}

export function framesIn(batch: Uint8Array): SeenFrame[] {
  const frame = new FrameReader()
  frame.open(batch)
  const seen: SeenFrame[] = []
  while (frame.next()) {
    const { type, flags, id, target, timeoutMs, serial } = frame
    const text = Buffer.from(frame.payload).toString()
    const extra = Buffer.from(frame.extra).toString()
    seen.push({ type, flags, id, target, timeoutMs, serial, text, extra })
  }
  return seen
}
