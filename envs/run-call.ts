import { decodeArgs, encodeResult, encodeThrown } from "../protocol/codec/index.ts"
import { asBunhouseError, BunhouseError, encodeErrorRecord } from "../protocol/errors.ts"
import { type CallExtra, readExtra } from "../protocol/extra.ts"
import { FrameFlag, type FrameReader, FrameType, type FrameWriter } from "../protocol/frame.ts"
import { PAYLOAD_BYTES_MAX } from "../protocol/limits.ts"
import { Refusal } from "./instances/refusal.ts"
import { decodeJsonArgs, encodeJsonResult, encodeJsonThrown } from "./json-payload.ts"
import { trimStack } from "./stack.ts"

/** A function that was loaded. */
export interface LoadedFunction {
  readonly name: string
  readonly call: (...args: unknown[]) => unknown
  /** Of its code; errors that it throws tell it. */
  readonly version: string
  /** What the daemon is told of what was loaded. */
  readonly answer?: unknown
  /** Its first calls, as far as they were sampled; counted by envs/watchdog. */
  sampled?: number
}

/** Where the reply of a call goes: `open` gives the writer for one frame of about `bytes`. */
export interface ReplySink {
  open(bytes: number): FrameWriter
}

/** Where results go, too, which may be larger than a frame. */
export interface ResultSink extends ReplySink {
  /** Answers the call `id`. The bytes are not written to again. */
  readonly result: (id: number, flags: number, payload: Uint8Array) => void
  readonly resultBytesMax: number
}

/** The arguments of the call that `frame` stands on; undefined when they could not be read and the caller was told. */
export function argumentsOf(frame: FrameReader, sink: ReplySink): unknown[] | undefined {
  const { bytes, payloadStart, end } = frame
  try {
    return frame.flags & FrameFlag.json
      ? decodeJsonArgs(bytes, payloadStart, end)
      : decodeArgs(bytes, payloadStart, end)
  } catch (cause) {
    const { code, message } = asBunhouseError(cause, "reading the arguments")
    replyFailure(sink, frame.id, new BunhouseError(code, message, { ran: "no", cause }))
    return undefined
  }
}

/** What the call says beside its arguments. The daemon has read it before. */
export function extraOf(frame: FrameReader): CallExtra | undefined {
  return frame.hasExtra ? readExtra(frame.extra) : undefined
}

/** `flags` are those of the call, and `promised`. */
export function replyValue(sink: ResultSink, id: number, flags: number, value: unknown): void {
  const payload = encodedOrRefused(sink, id, flags, value, sink.resultBytesMax)
  if (payload !== undefined) sink.result(id, flags & REPLY_FLAGS, payload)
}

/** Ends a call whose result was a stream with what the generator returned, which must fit one frame. */
export function replyReturned(sink: ReplySink, id: number, flags: number, value: unknown): void {
  const payload = encodedOrRefused(sink, id, flags, value, PAYLOAD_BYTES_MAX)
  if (payload === undefined) return
  sink.open(payload.length).write(FrameType.reply, flags & REPLY_FLAGS, id, 0, 0, 0, payload)
}

/** Undefined where the value cannot be sent, and the caller was told. */
function encodedOrRefused(
  sink: ReplySink,
  id: number,
  flags: number,
  value: unknown,
  bytesMax: number,
): Uint8Array | undefined {
  try {
    return flags & FrameFlag.json
      ? encodeJsonResult(value, bytesMax)
      : encodeResult(value, bytesMax)
  } catch (cause) {
    replyFailure(sink, id, asBunhouseError(cause, "encoding the result"))
    return undefined
  }
}

/** Hands on what a thread has answered, under the id that the daemon knows the call by. */
export function forwardReply(sink: ResultSink, id: number, reply: FrameReader): void {
  const { type, flags, start, end, payloadStart } = reply
  const isLarge = end - payloadStart > PAYLOAD_BYTES_MAX
  if (isLarge && type === FrameType.reply) sink.result(id, flags, reply.payload)
  else sink.open(end - start).copyFrom(reply, id, 0, 0, 0)
}

export function replyThrown(
  sink: ReplySink,
  id: number,
  flags: number,
  thrown: unknown,
  version: string,
): void {
  if (thrown instanceof Refusal) return replyFailure(sink, id, thrown.error)
  trimStack(thrown)
  const payload = flags & FrameFlag.json ? encodeJsonThrown(thrown) : encodeThrown(thrown)
  const extra = Buffer.from(version)
  const writer = sink.open(payload.length + extra.length)
  writer.write(
    FrameType.error,
    (flags & REPLY_FLAGS) | FrameFlag.thrown,
    id,
    0,
    0,
    0,
    payload,
    extra,
  )
}

/** The platform failed the call, not the function. */
export function replyFailure(sink: ReplySink, id: number, error: BunhouseError, flags = 0): void {
  const payload = encodeErrorRecord(error)
  sink.open(payload.length).write(FrameType.error, flags, id, 0, 0, 0, payload)
}

export function replyProgress(sink: ReplySink, id: number, payload: Uint8Array): void {
  sink.open(payload.length).write(FrameType.progress, 0, id, 0, 0, 0, payload)
}

/** What a reply says of its call, and of itself. */
const REPLY_FLAGS = FrameFlag.json | FrameFlag.promised

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  )
}
