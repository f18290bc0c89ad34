import { asBunhouseError, BunhouseError } from "../errors.ts"
import { PAYLOAD_BYTES_MAX } from "../limits.ts"
import { isPlainScalar, lower } from "./lower.ts"
import { raiseDirectly, raiseWithReferences } from "./raise.ts"
import { scan } from "./scan.ts"
import { packAfter } from "./wire.ts"

/**
 * The payload encoding: values arrive as sent, or the call fails and names the path of what could not be sent.
 * docs/protocol.md lists what travels, what does not, and what is lost.
 *
 *     payload = u8 encoding  msgpack
 *     encoding: 0 plain, 1 the value has references to objects that appear more than once
 */

const PLAIN = 0
const WITH_REFERENCES = 1

/**
 * Encodes the arguments of one call.
 *
 * @throws {BunhouseError} VALUE_NOT_SENDABLE with the path (`args[0].user.save`), PAYLOAD_TOO_LARGE.
 * @returns bytes that stay valid; they are never written to again.
 */
export function encodeArgs(args: readonly unknown[]): Uint8Array {
  for (const arg of args) {
    if (!isPlainScalar(arg)) return encodeLowered(args, "args")
  }
  return checkSize(seal(PLAIN, packAfter(1, args)), "the arguments take")
}

/** Encodes one result or streamed item; `ran` is what a refusal says about the function. */
export function encodeResult(value: unknown): Uint8Array {
  if (isPlainScalar(value)) return checkSize(seal(PLAIN, packAfter(1, value)), "the result takes")
  try {
    return encodeLowered(value, "result")
  } catch (error) {
    throw afterRunning(error)
  }
}

/**
 * Decodes `bytes` from `start` to `end`, which may come from anybody.
 *
 * @throws {BunhouseError} PROTOCOL_ERROR, in time and memory bounded by the length of the input.
 */
export function decodePayload(bytes: Uint8Array, start = 0, end = bytes.length): unknown {
  if (end - start < 2) throw new BunhouseError("PROTOCOL_ERROR", "an empty payload")
  const encoding = bytes[start]
  scan(bytes, start + 1, end)
  try {
    if (encoding === PLAIN) return raiseDirectly(bytes, start + 1, end)
    if (encoding === WITH_REFERENCES) return raiseWithReferences(bytes, start + 1, end)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new BunhouseError("PROTOCOL_ERROR", `a payload cannot be read: ${reason}`, { cause })
  }
  throw new BunhouseError("PROTOCOL_ERROR", `a payload of the unknown encoding ${String(encoding)}`)
}

/** Decodes arguments: as `decodePayload`, and they must be an array. */
export function decodeArgs(bytes: Uint8Array, start: number, end: number): unknown[] {
  const args = decodePayload(bytes, start, end)
  if (Array.isArray(args)) return args
  throw new BunhouseError("PROTOCOL_ERROR", "the arguments of a call are not a list")
}

/**
 * Encodes what a function threw. This never fails: what cannot travel is replaced by what can be said of it.
 */
export function encodeThrown(thrown: unknown): Uint8Array {
  try {
    return encodeLowered(thrown, "thrown")
  } catch {
    return encodeLowered(summary(thrown), "thrown")
  }
}

function encodeLowered(value: unknown, root: "args" | "result" | "thrown"): Uint8Array {
  const lowered = lower(value, root)
  const bytes = seal(lowered.hasReferences ? WITH_REFERENCES : PLAIN, packAfter(1, lowered.value))
  return checkSize(bytes, root === "args" ? "the arguments take" : `the ${root} value takes`)
}

function seal(encoding: number, bytes: Buffer): Uint8Array {
  bytes[0] = encoding
  return bytes
}

function checkSize(bytes: Uint8Array, what: string): Uint8Array {
  if (bytes.length <= PAYLOAD_BYTES_MAX) return bytes
  throw new BunhouseError(
    "PAYLOAD_TOO_LARGE",
    `${what} ${bytes.length} bytes, over the limit of ${PAYLOAD_BYTES_MAX}`,
  )
}

function afterRunning(error: unknown): BunhouseError {
  const { code, message, path, cause } = asBunhouseError(error, "encoding the result")
  return new BunhouseError(code, message, {
    ran: "yes",
    cause,
    ...(path !== undefined && { path }),
  })
}

const SUMMARY_TEXT_LENGTH_MAX = 64 * 1024

/** Name, message and stack of an error, or a description of anything else, as plain text. */
function summary(thrown: unknown): Error {
  try {
    if (Error.isError(thrown)) {
      const { name, message, stack } = thrown
      const error = new Error(text(message))
      error.name = text(name)
      error.stack = text(stack)
      return error
    }
    return new Error(`a value that cannot be sent was thrown: ${text(Bun.inspect(thrown))}`)
  } catch {
    return new Error("a value was thrown that cannot be sent, nor described")
  }
}

function text(value: unknown): string {
  return String(value).slice(0, SUMMARY_TEXT_LENGTH_MAX)
}
