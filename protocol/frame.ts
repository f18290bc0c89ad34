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
export { BATCH_PREFIX_BYTES, HEADER_BYTES, UTF8_BYTES_MAX } from "./frame-layout.ts"
export { FrameReader } from "./frame-reader.ts"
export { CONNECTION_ID, FrameFlag, FrameType, ReportKind } from "./frame-types.ts"
export { FrameWriter } from "./frame-writer.ts"
