import {
  asBunhouseError,
  BunhouseError,
  decodeErrorRecord,
  encodeErrorRecord,
} from "../../protocol/errors.ts"
import { parseJson, Fields } from "../../protocol/fields.ts"
import {
  BATCH_PREFIX_BYTES,
  FrameFlag,
  FrameReader,
  FrameType,
  FrameWriter,
} from "../../protocol/frame.ts"
import { encodeExtra, NO_EXTRA } from "../../protocol/extra.ts"
import { isGeneratorKind } from "../../protocol/members.ts"
import {
  FRAMES_TYPE,
  IDEMPOTENCY_HEADER,
  JSON_TYPE,
  OUTCOME_HEADER,
  PAYLOAD_TYPE,
} from "../../protocol/http.ts"
import { readCredit } from "../../protocol/streams/credit.ts"
import type { CallDesk } from "../calls/call-desk.ts"
import { FedPayload } from "../calls/fed-payload.ts"
import type { FunctionRoute } from "../calls/route.ts"
import { answer, errorResponse } from "./answer.ts"
import { type CallBody, type OpenBody, openFrames } from "./call-body.ts"
import { failed, singleCall, type SingleOutcome, type WholeOutcome } from "./single-call.ts"
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
 * a stream has a credit frame before it, and is answered with the first chunk, and the name under which to fetch the others.
 */
export async function callByFrames(calls: HttpCalls, request: Request, body: CallBody) {
  const opened = body.kind === "open" ? await openFrames(body) : undefined
  const desk = opened === undefined ? calls.desk : feeding(calls.desk, opened.payload)
  const frame = new FrameReader()
  frame.open(body.kind === "whole" ? body.bytes : (opened?.head ?? NO_EXTRA))
  const names = readNames(frame)
  const writer = new FrameWriter()
  writer.write(FrameType.hello, 0, 0, 0, 0, 0, calls.hello)
  const hasCredit = frame.next() && frame.type === FrameType.credit
  const credit = readCredit(frame)
  if (hasCredit) frame.next()
  if (frame.type !== FrameType.call) throw notACall()
  const { id } = frame
  if (frame.flags & FrameFlag.stream) {
    if (!hasCredit) throw notACall()
    await openStream(calls, { desk, names, frame, credit, signal: request.signal, writer })
    return framesResponse(writer)
  }
  const outcome = await outcomeOf(calls, desk, names, frame, request.signal)
  if (outcome.kind === "whole") {
    writeOutcome(writer, id, outcome)
    return framesResponse(writer)
  }
  const endOf = (end: WholeOutcome) => {
    const last = new FrameWriter()
    writeOutcome(last, id, end)
    return last.take().subarray(BATCH_PREFIX_BYTES)
  }
  return answer(outcome.asFrames(writer.take(), id, endOf), FRAMES_TYPE)
}

function readNames(frame: FrameReader): Names {
  if (!frame.next() || frame.type !== FrameType.bind) throw notACall()
  const names = parseJson("the names of a target", frame.text)
  const fields = new Fields("the names of a target", names)
  return { env: fields.text("env"), function: fields.text("function") }
}

interface Names {
  readonly env: string
  readonly function: string
}

function writeOutcome(writer: FrameWriter, id: number, outcome: WholeOutcome): void {
  const { type, flags, serial, payload, extra } = outcome
  outcome.logs.writeTo(writer)
  writer.write(type, flags, id, 0, 0, serial, payload, extra)
}

/** The desk at which a call is made whose payload `body` brings. */
function feeding(desk: CallDesk, body: OpenBody): CallDesk {
  return new FedPayload(desk, body)
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
  body: CallBody,
  names: Names,
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
  const isOpen = body.kind === "open"
  const bytes = isOpen ? NO_EXTRA : body.bytes
  const payload = isJson && !isOpen && bytes.length === 0 ? NO_ARGUMENTS : bytes
  const desk = isOpen ? feeding(calls.desk, body) : calls.desk
  const key = request.headers.get(IDEMPOTENCY_HEADER)
  const extra = key === null ? NO_EXTRA : encodeExtra({ key })
  const isStream = isGeneratorKind(route.info.kind)
  const flags =
    (isJson ? FrameFlag.json : 0) |
    (isStream ? FrameFlag.stream : 0) |
    (isOpen ? FrameFlag.parts : 0)
  writer.write(FrameType.call, flags, 0, 0, timeoutMs, isOpen ? body.total : 0, payload, extra)
  const frame = new FrameReader()
  frame.open(writer.take())
  frame.next()
  if (isStream) {
    if (!isJson) throw new BunhouseError("INVALID_ARGUMENT", NO_PAYLOAD_STREAM)
    return streamResponse({ desk, route, frame, request })
  }
  const outcome = await outcomeOf(calls, desk, names, frame, request.signal)
  if (outcome.kind === "large") {
    return answer(outcome.asPayload(), type, 200, { [OUTCOME_HEADER]: "value" })
  }
  const isThrown = (outcome.flags & FrameFlag.thrown) !== 0
  if (outcome.type === FrameType.error && !isThrown) {
    return errorResponse(decodeErrorRecord(outcome.payload))
  }
  return answer(outcome.payload, type, 200, { [OUTCOME_HEADER]: isThrown ? "thrown" : "value" })
}

/** A function that is not there is an outcome too: the caller hears of it in the form it asked for. */
async function outcomeOf(
  { find }: HttpCalls,
  desk: CallDesk,
  names: Names,
  frame: FrameReader,
  signal: AbortSignal,
): Promise<SingleOutcome> {
  try {
    return await singleCall({ desk, route: find(names.env, names.function), frame, signal })
  } catch (error) {
    return failed(asBunhouseError(error, `calling ${names.env}/${names.function}`), 0)
  }
}

/** The first chunk, or why there is none, goes into the writer. */
async function openStream(
  { sessions, find }: HttpCalls,
  call: Omit<Parameters<StreamSessions["open"]>[0], "route"> & { readonly names: Names },
): Promise<void> {
  const { names, frame, writer } = call
  const { id } = frame
  try {
    await sessions.open({ ...call, route: find(names.env, names.function) })
  } catch (error) {
    const failure = asBunhouseError(error, `calling ${names.env}/${names.function}`)
    writer.write(FrameType.error, 0, id, 0, 0, 0, encodeErrorRecord(failure))
  }
}

function framesResponse(writer: FrameWriter): Response {
  return answer(writer.take(), FRAMES_TYPE)
}

function notACall(): BunhouseError {
  const message =
    "expected a bind frame, a credit frame where the result is a stream, and a call frame"
  return new BunhouseError("PROTOCOL_ERROR", message)
}

const NO_PAYLOAD_STREAM = `a generator function answers with text: call it with ${JSON_TYPE}, or with frames`
const NO_ARGUMENTS = Buffer.from(`{"args":[]}`)
