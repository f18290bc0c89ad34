import { asBunhouseError, BunhouseError } from "../errors.ts"
import { ENV_PAYLOAD_BYTES_MAX, OBJECT_BYTES_MAX, PAYLOAD_BYTES_MAX } from "../limits.ts"
import { lower, type Root } from "./lower.ts"
import { raiseDirectly, raiseWithReferences } from "./raise.ts"
import { isPlainScalar } from "./scalar.ts"
import { scan } from "./scan.ts"
import { summaryOf } from "./summary.ts"
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
 * Encodes the arguments of one call: as much as an env may take, unless `bytesMax` says otherwise.
 *
 * @throws {BunhouseError} VALUE_NOT_SENDABLE with the path (`args[0].user.save`), PAYLOAD_TOO_LARGE.
 * @returns bytes that stay valid; they are never written to again.
 */
export function encodeArgs(args: readonly unknown[], bytesMax = ENV_PAYLOAD_BYTES_MAX): Uint8Array {
  for (const arg of args) {
    if (!isPlainScalar(arg)) return encodeLowered(args, "args", bytesMax)
  }
  return pack(PLAIN, args, "args", bytesMax)
}

/** Encodes one result; a refusal says that the function ran. */
export function encodeResult(value: unknown, bytesMax = PAYLOAD_BYTES_MAX): Uint8Array {
  return encodeAfterRunning(value, "result", bytesMax)
}

/** Encodes one item of a stream; a refusal says that the function ran. */
export function encodeItem(value: unknown, bytesMax = PAYLOAD_BYTES_MAX): Uint8Array {
  return encodeAfterRunning(value, "item", bytesMax)
}

function encodeAfterRunning(value: unknown, root: Root, bytesMax: number): Uint8Array {
  try {
    return isPlainScalar(value)
      ? pack(PLAIN, value, root, bytesMax)
      : encodeLowered(value, root, bytesMax)
  } catch (error) {
    throw afterRunning(error)
  }
}

/** Encodes a value that is kept as an object. Throws VALUE_NOT_SENDABLE with the path, PAYLOAD_TOO_LARGE. */
export function encodeObject(value: unknown): Uint8Array {
  return encodeLowered(value, "value", OBJECT_BYTES_MAX)
}

/**
 * Encodes what a function threw. This never fails: what cannot travel is replaced by what can be said of it.
 */
export function encodeThrown(thrown: unknown): Uint8Array {
  try {
    return encodeLowered(thrown, "thrown")
  } catch {
    return encodeLowered(summaryOf(thrown), "thrown")
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
    const reason = cause instanceof Error ? cause.message.slice(0, REASON_LENGTH_MAX) : "no reason"
    throw new BunhouseError("PROTOCOL_ERROR", `a payload cannot be read: ${reason}`, { cause })
  }
  throw new BunhouseError("PROTOCOL_ERROR", `a payload of the unknown encoding ${String(encoding)}`)
}

const REASON_LENGTH_MAX = 200

/** Decodes arguments: as `decodePayload`, and they must be an array. */
export function decodeArgs(bytes: Uint8Array, start: number, end: number): unknown[] {
  const args = decodePayload(bytes, start, end)
  // Arguments are spread into a call, which a list of a thousand million holes would not survive.
  if (Array.isArray(args) && args.length <= end - start) return args
  throw new BunhouseError("PROTOCOL_ERROR", "the arguments of a call are not a list")
}

function encodeLowered(value: unknown, root: Root, bytesMax = PAYLOAD_BYTES_MAX): Uint8Array {
  const lowered = lower(value, root)
  return pack(lowered.hasReferences ? WITH_REFERENCES : PLAIN, lowered.value, root, bytesMax)
}

function pack(encoding: number, value: unknown, root: Root, bytesMax: number): Uint8Array {
  const bytes = packed(value, root)
  bytes[0] = encoding
  if (bytes.length <= bytesMax) return bytes
  throw new BunhouseError(
    "PAYLOAD_TOO_LARGE",
    `${WHAT[root]} ${bytes.length} bytes, over the limit of ${bytesMax}${MEND}`,
  )
}

const MEND = ": keep it with here.objects.put, and pass what that returns"
const WHAT = {
  args: "the arguments take",
  result: "the result takes",
  item: "an item of the stream takes",
  thrown: "the thrown value takes",
  value: "the value takes",
} as const satisfies Record<Root, string>

function packed(value: unknown, root: Root): Buffer {
  try {
    return packAfter(1, value)
  } catch (cause) {
    // Lowering has read all of it, so memory is short, or a getter answered differently this time.
    const message = `${root} cannot be sent: it failed while it was packed`
    throw new BunhouseError("VALUE_NOT_SENDABLE", message, { path: root, cause })
  }
}

function afterRunning(error: unknown): BunhouseError {
  const { code, message, path, cause } = asBunhouseError(error, "encoding a value")
  return new BunhouseError(code, message, {
    ran: "yes",
    cause,
    ...(path !== undefined && { path }),
  })
}
