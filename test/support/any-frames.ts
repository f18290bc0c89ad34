import * as fc from "fast-check"
import { FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { EXTRA_BYTES_MAX } from "../../protocol/limits.ts"

/** One frame in all its parts. */
export interface Frame {
  readonly type: FrameType
  readonly flags: number
  readonly id: number
  readonly target: number
  readonly timeoutMs: number
  readonly serial: number
  readonly payload: Uint8Array
  readonly extra: Uint8Array
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })

export const anyFrame: fc.Arbitrary<Frame> = fc.record({
  type: fc.constantFrom(...Object.values(FrameType)),
  flags: fc.nat(255),
  id: u32,
  target: u32,
  timeoutMs: u32,
  serial: u32,
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.nat(5_000).map((size) => filled(size)),
  ),
  extra: fc.oneof(
    fc.constant(filled(0)),
    fc.nat(EXTRA_BYTES_MAX).map((size) => filled(size)),
  ),
})

export const CALL: Frame = {
  type: FrameType.call,
  flags: 1,
  id: 7,
  target: 3,
  timeoutMs: 1_000,
  serial: 12,
  payload: filled(20),
  extra: filled(5),
}

export function filled(size: number, seed = size): Uint8Array {
  return Uint8Array.from({ length: size }, (_byte, i) => i * 31 + seed)
}

export function write(writer: FrameWriter, frame: Frame): void {
  const { type, flags, id, target, timeoutMs, serial, payload, extra } = frame
  writer.write(type, flags, id, target, timeoutMs, serial, payload, extra)
}

export function batchOf(frames: readonly Frame[]): Buffer {
  const writer = new FrameWriter()
  for (const frame of frames) write(writer, frame)
  return writer.take()
}

/** All frames of a batch, as copies. */
export function read(batch: Uint8Array): Frame[] {
  const reader = new FrameReader()
  const count = reader.open(batch)
  const frames: Frame[] = []
  while (reader.next()) frames.push(current(reader))
  if (frames.length !== count) throw new Error(`${count} frames announced, ${frames.length} came`)
  return frames
}

/** The frame that a reader stands at, as a copy. */
export function current(reader: FrameReader): Frame {
  const { flags, id, target, timeoutMs, serial } = reader
  const type = Object.values(FrameType).find((known) => known === reader.type)
  if (type === undefined) throw new Error(`the reader handed out the type ${reader.type}`)
  // To be compared byte for byte, whatever class they come in.
  const payload = new Uint8Array(reader.payload)
  const extra = new Uint8Array(reader.extra)
  return { type, flags, id, target, timeoutMs, serial, payload, extra }
}
