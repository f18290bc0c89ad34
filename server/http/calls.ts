import { asBunhouseError, BunhouseError, decodeErrorRecord } from "../../protocol/errors.ts"
import { parseJson, Fields } from "../../protocol/fields.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { encodeExtra, NO_EXTRA } from "../../protocol/extra.ts"
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
}

/** `POST /v1/frames`: a bind frame and a call frame in, the reply as a batch out. Blocking calls use it. */
export async function callByFrames(calls: HttpCalls, request: Request, body: Uint8Array) {
  const frame = new FrameReader()
  frame.open(body)
  moveTo(frame, FrameType.bind)
  const text = Buffer.from(frame.payload).toString()
  const fields = new Fields("the names of a target", parseJson("the names of a target", text))
  const names = { env: fields.text("env"), function: fields.text("function") }
  moveTo(frame, FrameType.call)
  const { id } = frame
  const outcome = await outcomeOf(calls, names, frame, request.signal)
  const { type, flags, serial, payload } = outcome
  const writer = new FrameWriter()
  writer.write(FrameType.hello, 0, 0, 0, 0, 0, calls.hello)
  outcome.logs.writeTo(writer)
  writer.write(type, flags, id, 0, 0, serial, payload)
  return answer(writer.take(), FRAMES_TYPE)
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
  const timeoutMs = callTimeoutOf(request)
  const writer = new FrameWriter()
  const payload = isJson && body.length === 0 ? NO_ARGUMENTS : body
  const key = request.headers.get(IDEMPOTENCY_HEADER)
  const extra = key === null ? NO_EXTRA : encodeExtra({ key })
  writer.write(FrameType.call, isJson ? FrameFlag.json : 0, 0, 0, timeoutMs, 0, payload, extra)
  const frame = new FrameReader()
  frame.open(writer.take())
  frame.next()
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

function moveTo(frame: FrameReader, type: number): void {
  if (frame.next() && frame.type === type) return
  throw new BunhouseError("PROTOCOL_ERROR", "expected a bind frame followed by a call frame")
}

const NO_ARGUMENTS = Buffer.from(`{"args":[]}`)
