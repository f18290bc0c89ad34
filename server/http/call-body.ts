import { BunhouseError } from "../../protocol/errors.ts"
import {
  BATCH_PREFIX_BYTES,
  FrameFlag,
  FrameReader,
  FrameType,
  HEADER_BYTES,
} from "../../protocol/frame.ts"
import {
  BODY_BYTES_MAX,
  ENV_PAYLOAD_BYTES_MAX,
  EXTRA_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
} from "../../protocol/limits.ts"
import type { BodyReader, OpenPayload } from "../calls/open-payload.ts"
import { readBody, tooLarge } from "./body.ts"

/** The body of a request that makes a call: as a whole, or, where it is too large for one frame, as it comes. */
export type CallBody = WholeBody | OpenBody

interface WholeBody {
  readonly kind: "whole"
  readonly bytes: Uint8Array
}

export interface OpenBody extends OpenPayload {
  readonly kind: "open"
}

/** A body that does not say how long it is must fit where any other does. Throws PAYLOAD_TOO_LARGE. */
export async function readCallBody(request: Request): Promise<CallBody> {
  const told = Number(request.headers.get("content-length") ?? 0)
  if (told > PAYLOAD_BYTES_MAX && request.body !== null) {
    if (told > ENV_PAYLOAD_BYTES_MAX + BODY_BYTES_MAX) throw tooLarge(ENV_PAYLOAD_BYTES_MAX)
    return openBody(told, NOTHING, readerOf(request.body))
  }
  const bytes = await readBody(request)
  if (bytes.length <= PAYLOAD_BYTES_MAX) return { kind: "whole", bytes }
  return openBody(bytes.length, bytes, AT_END)
}

/**
 * Reads a batch up to the payload of its call frame, which is the last one: a batch in which that frame's payload comes in
 * parts, and the payload as the body that is left. Throws PROTOCOL_ERROR.
 */
export async function openFrames(body: OpenBody): Promise<{
  readonly head: Uint8Array
  readonly payload: OpenBody
}> {
  let bytes = Buffer.from(body.first)
  for (;;) {
    const at = payloadStart(bytes)
    if (at !== undefined) return cutAt(bytes, at, body)
    if (bytes.length > HEAD_BYTES_MAX) throw noCall()
    const chunk = await body.body.read()
    if (chunk === undefined) throw noCall()
    bytes = Buffer.concat([bytes, chunk])
  }
}

interface CallPlace {
  readonly call: number
  readonly payload: number
}

/** Where the call frame and its payload begin; undefined while too little is there to tell. */
function payloadStart(bytes: Buffer): CallPlace | undefined {
  for (let at = BATCH_PREFIX_BYTES; at + HEADER_BYTES <= bytes.length;) {
    if (bytes[at + 4] === FrameType.call) {
      const payload = at + HEADER_BYTES + bytes.readUInt16LE(at + 6)
      return payload <= bytes.length ? { call: at, payload } : undefined
    }
    at += Math.max(HEADER_BYTES, bytes.readUInt32LE(at))
  }
  return undefined
}

function cutAt(bytes: Buffer, { call, payload }: CallPlace, body: OpenBody) {
  const total = bytes.readUInt32LE(call) - (payload - call)
  if (body.total - payload !== total) throw noCall()
  const head = new Uint8Array(bytes.subarray(0, payload))
  const view = new DataView(head.buffer)
  view.setUint32(call, payload - call, true)
  view.setUint8(call + 5, view.getUint8(call + 5) | FrameFlag.parts)
  view.setUint32(call + 20, total, true)
  new FrameReader().open(head)
  return { head, payload: openBody(total, bytes.subarray(payload), body.body) }
}

function openBody(total: number, first: Uint8Array, body: BodyReader): OpenBody {
  return { kind: "open", total, first, body, broken: brokenAfter(total) }
}

function readerOf(stream: ReadableStream<Uint8Array>): BodyReader {
  const reader = stream.getReader()
  return {
    read: async () => {
      const { done, value } = await reader.read()
      return done ? undefined : value
    },
    cancel: async () => {
      await reader.cancel().catch(() => {}) // it was broken off
    },
  }
}

const NOTHING = new Uint8Array(0)
const AT_END: BodyReader = {
  read: () => Promise.resolve(undefined),
  cancel: () => Promise.resolve(),
}
const HEAD_BYTES_MAX = 4 * EXTRA_BYTES_MAX

function brokenAfter(total: number): OpenPayload["broken"] {
  return (at) => {
    const message = `the request body ended, or stood still, after ${at} of ${total} bytes of arguments`
    return new BunhouseError("INVALID_ARGUMENT", message, { ran: "no" })
  }
}

function noCall(): BunhouseError {
  const message = "expected a batch that ends with a call frame, whose payload takes all the rest"
  return new BunhouseError("PROTOCOL_ERROR", message)
}
