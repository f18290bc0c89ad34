import { FrameReader, FrameWriter } from "../../protocol/frame.ts"

/** A copy of the frame, as a batch. */
export function batchOf(frame: FrameReader): Uint8Array {
  const writer = new FrameWriter()
  writer.append(frame.bytes.subarray(frame.start, frame.end))
  // `take` hands out a view of a buffer that is larger.
  return new Uint8Array(writer.take())
}

/** Stands on the one frame of a batch, or on the one that `write` writes. */
export function frameBy(source: Uint8Array | ((writer: FrameWriter) => void)): FrameReader {
  const frame = new FrameReader()
  if (source instanceof Uint8Array) frame.open(source)
  else {
    const writer = new FrameWriter()
    source(writer)
    frame.open(writer.take())
  }
  frame.next()
  return frame
}
