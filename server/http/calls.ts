import {
  asBunhouseError,
  BunhouseError,
  decodeErrorRecord,
  encodeErrorRecord,
} from "../../protocol/errors.ts"
import { parseJson, Fields } from "../../protocol/fields.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { encodeExtra, NO_EXTRA } from "../../protocol/extra.ts"
import { isGeneratorKind } from "../../protocol/members.ts"
import {
  FRAMES_TYPE,
  IDEMPOTENCY_HEADER,
  JSON_TYPE,
  OUTCOME_HEADER,
  PAYLOAD_TYPE,
} from "../../protocol/http.ts"
import type { CallDesk } from "../calls/call-desk.ts"
import type { FunctionRoute } from "../calls/route.ts"
import { answer, errorResponse } from "./answer.ts"
import { failed, singleCall, type SingleOutcome } from "./single-call.ts"
import { streamResponse } from "./stream-response.ts"
import type { StreamSessions } from "./stream-sessions.ts"
import { callTimeoutOf } from "./timeout.ts"

/**
 * Calls over plain HTTP: one request, one call. The payload passes through undecoded, also as JSON: the env process
 * reads and writes the text itself.
 */
export interface HttpCalls {
  readonly desk: CallDesk
  /** Payload of the hello frame. */
  readonly hello: Uint8Array
  /** Throws NOT_FOUND. */
  readonly find: (env: string, fn: string) => FunctionRoute
  readonly sessions: StreamSessions
}

/**
 * `POST /v1/frames`: a bind frame and a call frame in, the reply as a batch out. Blocking calls use it. A call that takes
 * a stream comes with a credit frame, and is answered with the first chunk, and the name under which to fetch the others.
 */
export async function callByFrames(calls: HttpCalls, request: Request, body: Uint8Array) {
  const frame = new FrameReader()
  frame.open(body)
  moveTo(frame, FrameType.bind)
  const text = Buffer.from(frame.payload).toString()
  const fields = new Fields("the names of a target", parseJson("the names of a target", text))
  const names = { env: fields.text("env"), function: fields.text("function") }
  moveTo(frame, FrameType.call)
  const { id } = frame
  const writer = new FrameWriter()
  writer.write(FrameType.hello, 0, 0, 0, 0, 0, calls.hello)
  if (frame.flags & FrameFlag.stream) {
    await openStream(calls, names, frame, request.signal, writer)
    return framesResponse(writer)
  }
  const outcome = await outcomeOf(calls, names, frame, request.signal)
  const { type, flags, serial, payload, extra } = outcome
  outcome.logs.writeTo(writer)
  writer.write(type, flags, id, 0, 0, serial, payload, extra)
  return framesResponse(writer)
}

/** `POST /v1/streams/:stream/next`: the next chunk. */
export async function nextChunk({ sessions }: HttpCalls, request: Request, stream: string) {
  const writer = new FrameWriter()
  await sessions.next(stream, request.signal, writer)
  return framesResponse(writer)
}

/** `POST /v1/streams/:stream/release`: nobody wants more of it. Answered with an empty batch. */
export function releaseStream({ sessions }: HttpCalls, stream: string): Response {
  sessions.release(stream)
  return framesResponse(new FrameWriter())
}

/** `POST /v1/envs/:env/functions/:fn/call` with JSON or with one encoded payload, answered alike. */
export async function callByName(
  calls: HttpCalls,
  request: Request,
  body: Uint8Array,
  names: { readonly env: string; readonly function: string },
): Promise<Response> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? JSON_TYPE
  if (type !== JSON_TYPE && type !== PAYLOAD_TYPE) {
    const message = `expected content-type ${JSON_TYPE} or ${PAYLOAD_TYPE}, got ${JSON.stringify(type)}`
    throw new BunhouseError("INVALID_ARGUMENT", message)
  }
  const isJson = type === JSON_TYPE
  const route = calls.find(names.env, names.function)
  const timeoutMs = callTimeoutOf(request, route.env.spec.timeoutMs)
  const writer = new FrameWriter()
  const payload = isJson && body.length === 0 ? NO_ARGUMENTS : body
  const key = request.headers.get(IDEMPOTENCY_HEADER)
  const extra = key === null ? NO_EXTRA : encodeExtra({ key })
  const isStream = isGeneratorKind(route.info.kind)
  const flags = (isJson ? FrameFlag.json : 0) | (isStream ? FrameFlag.stream : 0)
  writer.write(FrameType.call, flags, 0, 0, timeoutMs, 0, payload, extra)
  const frame = new FrameReader()
  frame.open(writer.take())
  frame.next()
  if (isStream) {
    if (!isJson) throw new BunhouseError("INVALID_ARGUMENT", NO_PAYLOAD_STREAM)
    return streamResponse({ desk: calls.desk, route, frame, request })
  }
  const outcome = await outcomeOf(calls, names, frame, request.signal)
  const isThrown = (outcome.flags & FrameFlag.thrown) !== 0
  if (outcome.type === FrameType.error && !isThrown) {
    return errorResponse(decodeErrorRecord(outcome.payload))
  }
  return answer(outcome.payload, type, 200, { [OUTCOME_HEADER]: isThrown ? "thrown" : "value" })
}

/** A function that is not there is an outcome too: the caller hears of it in the form it asked for. */
async function outcomeOf(
  { desk, find }: HttpCalls,
  names: { readonly env: string; readonly function: string },
  frame: FrameReader,
  signal: AbortSignal,
): Promise<SingleOutcome> {
  try {
    return await singleCall({ desk, route: find(names.env, names.function), frame, signal })
  } catch (error) {
    return failed(asBunhouseError(error, `calling ${names.env}/${names.function}`), 0)
  }
}

/** The first chunk, or why there is none, goes into `writer`. */
async function openStream(
  { sessions, find }: HttpCalls,
  names: { readonly env: string; readonly function: string },
  frame: FrameReader,
  signal: AbortSignal,
  writer: FrameWriter,
): Promise<void> {
  const { id } = frame
  try {
    const route = find(names.env, names.function)
    await sessions.open({ route, frame, signal, writer })
  } catch (error) {
    const failure = asBunhouseError(error, `calling ${names.env}/${names.function}`)
    writer.write(FrameType.error, 0, id, 0, 0, 0, encodeErrorRecord(failure))
  }
}

function framesResponse(writer: FrameWriter): Response {
  return answer(writer.take(), FRAMES_TYPE)
}

function moveTo(frame: FrameReader, type: number): void {
  if (frame.next() && frame.type === type) return
  throw new BunhouseError("PROTOCOL_ERROR", "expected a bind frame followed by a call frame")
}

const NO_PAYLOAD_STREAM = `a generator function answers with text: call it with ${JSON_TYPE}, or with frames`
const NO_ARGUMENTS = Buffer.from(`{"args":[]}`)
