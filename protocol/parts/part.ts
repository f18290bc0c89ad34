import { FrameFlag, type FrameReader, FrameType, type FrameWriter } from "../frame.ts"

/**
 * A payload that is too large for one frame travels in parts: of a call behind its call frame, of a result ahead of its
 * reply. Who receives it grants credit, as for a stream, so that whatever lies between holds little of it.
 */
export interface Part {
  /** Where it begins. */
  readonly at: number
  /** Bytes of the whole payload. */
  readonly total: number
  readonly bytes: Uint8Array
}

/** Where credit frames have the number of a stream: the payload itself, of the call or of its result. */
export const PARTS_STREAM = 0xffff_ffff

export function writePart(writer: FrameWriter, id: number, { at, total, bytes }: Part): void {
  writer.write(FrameType.part, 0, id, at, total, 0, bytes)
}

/** Of the frame that `frame` stands on. The bytes are valid as long as the batch's are. */
export function readPart({ target: at, timeoutMs: total, payload: bytes }: FrameReader): Part {
  return { at, total, bytes }
}

/** What the payload of a call takes, as its caller says: the frame may be that of a call in parts. */
export function payloadBytesOf(call: FrameReader): number {
  return call.flags & FrameFlag.parts ? call.serial : call.end - call.payloadStart
}
