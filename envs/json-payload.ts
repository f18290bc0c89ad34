import { BunhouseError } from "../protocol/errors.ts"
import { PAYLOAD_BYTES_MAX } from "../protocol/limits.ts"

/**
 * Payloads as JSON text, for callers over plain HTTP. JSON can say less than the binary encoding: what it would change
 * without a word (BigInt aside, which throws) is documented in docs/protocol.md.
 */
export function decodeJsonArgs(bytes: Uint8Array, start: number, end: number): unknown[] {
  let body: unknown
  try {
    body = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString())
  } catch (cause) {
    throw new BunhouseError("INVALID_ARGUMENT", "the request body is not JSON", { cause })
  }
  if (Array.isArray(body)) return body
  if (typeof body === "object" && body !== null && "args" in body && Array.isArray(body.args)) {
    return body.args
  }
  throw new BunhouseError("INVALID_ARGUMENT", 'expected the request body to be {"args": [...]}')
}

export function encodeJsonResult(value: unknown, bytesMax = PAYLOAD_BYTES_MAX): Uint8Array {
  return encode({ ok: true, value }, bytesMax)
}

/** One item of a stream: JSON text without line breaks. */
export function encodeJsonItem(value: unknown, bytesMax = PAYLOAD_BYTES_MAX): Uint8Array {
  // JSON has no text for `undefined` and functions; in a list it has `null`.
  const textOf = () => JSON.stringify(value) ?? "null"
  return bytesOf(textOf, "an item of the stream", bytesMax)
}

/** This never fails: of what cannot be sent, that much is said which can. */
export function encodeJsonThrown(thrown: unknown): Uint8Array {
  try {
    return encode({ ok: false, error: describe(thrown, CAUSES_MAX) })
  } catch {
    return encode({ ok: false, error: summarize(thrown) })
  }
}

function describe(thrown: unknown, causesMax: number): object {
  if (!Error.isError(thrown)) return { value: thrown }
  const { name, message, stack, cause } = thrown
  const own = Object.fromEntries(Object.entries(thrown))
  // Causes may form a circle.
  const hasCause = cause !== undefined && causesMax > 0
  return {
    ...own,
    name,
    message,
    stack,
    ...(hasCause && { cause: describe(cause, causesMax - 1) }),
  }
}

const CAUSES_MAX = 16
const SUMMARY_LENGTH_MAX = 8_192

function summarize(thrown: unknown): object {
  try {
    const { name, message } = Error.isError(thrown) ? thrown : new Error(String(thrown))
    return { name: cut(name), message: cut(message) }
  } catch {
    return { name: "Error", message: "a value that cannot be shown was thrown" }
  }
}

function cut(text: unknown): string {
  return String(text).slice(0, SUMMARY_LENGTH_MAX)
}

function encode(body: object, bytesMax = PAYLOAD_BYTES_MAX): Uint8Array {
  return bytesOf(() => `${JSON.stringify(body)}\n`, "the result", bytesMax)
}

function bytesOf(textOf: () => string, what: string, bytesMax: number): Uint8Array {
  let text: string
  try {
    text = textOf()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new BunhouseError("VALUE_NOT_SENDABLE", `${what} cannot be sent as JSON: ${reason}`, {
      ran: "yes",
      cause,
    })
  }
  const bytes = Buffer.from(text)
  if (bytes.length <= bytesMax) return bytes
  const message = `${what} takes ${bytes.length} bytes as JSON, over the limit of ${bytesMax}`
  throw new BunhouseError("PAYLOAD_TOO_LARGE", message, { ran: "yes" })
}
