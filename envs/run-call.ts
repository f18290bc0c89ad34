import { decodeArgs, encodeResult, encodeThrown } from "../protocol/codec/index.ts"
import { asBunhouseError, BunhouseError, encodeErrorRecord } from "../protocol/errors.ts"
import { type CallExtra, readExtra } from "../protocol/extra.ts"
import { FrameFlag, type FrameReader, FrameType, type FrameWriter } from "../protocol/frame.ts"
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
}

/** Where the reply of a call goes: `open` gives the writer for one frame of about `bytes`. */
export interface ReplySink {
  open(bytes: number): FrameWriter
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

export function replyValue(sink: ReplySink, id: number, flags: number, value: unknown): void {
  let payload: Uint8Array
  try {
    payload = flags & FrameFlag.json ? encodeJsonResult(value) : encodeResult(value)
  } catch (cause) {
    replyFailure(sink, id, asBunhouseError(cause, "encoding the result"))
    return
  }
  sink.open(payload.length).write(FrameType.reply, flags, id, 0, 0, 0, payload)
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
  writer.write(FrameType.error, flags | FrameFlag.thrown, id, 0, 0, 0, payload, extra)
}

/** The platform failed the call, not the function. */
export function replyFailure(sink: ReplySink, id: number, error: BunhouseError, flags = 0): void {
  const payload = encodeErrorRecord(error)
  sink.open(payload.length).write(FrameType.error, flags, id, 0, 0, 0, payload)
}

export function replyProgress(sink: ReplySink, id: number, payload: Uint8Array): void {
  sink.open(payload.length).write(FrameType.progress, 0, id, 0, 0, 0, payload)
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  )
}
