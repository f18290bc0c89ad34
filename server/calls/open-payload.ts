import { asBunhouseError, type BunhouseError } from "../../protocol/errors.ts"
import { LARGE_BODY_STALL_MS_MAX } from "../../protocol/limits.ts"
import { withRan } from "./call-error.ts"

/** A payload that is too large to be held, read as it is needed: the body of a request, or what the store has. */
export interface OpenPayload {
  /** Bytes of it. */
  readonly total: number
  /** What was read of it already. */
  readonly first: Uint8Array
  readonly body: BodyReader
  /** The error of one that ends too soon or stands still after `at` bytes. */
  readonly broken: (at: number, cause: unknown) => BunhouseError
}

/** What comes behind. */
export interface BodyReader {
  /** Undefined behind the end. */
  read(): Promise<Uint8Array | undefined>
  /** Nobody reads any more, whether all was read or not. Never rejects. */
  cancel(): Promise<void>
}

/**
 * What the store gives out, as a payload; `name` is for messages. `ran`: whether the function has, whose payload breaks off
 * before its end.
 */
export function storedPayload(
  name: string,
  total: number,
  chunks: AsyncGenerator<Uint8Array>,
  ran: "no" | "yes" = "no",
): OpenPayload {
  const body: BodyReader = {
    read: async () => {
      const { done, value } = await chunks.next()
      return done === true ? undefined : value
    },
    cancel: async () => void (await chunks.return(undefined)),
  }
  const broken = (_at: number, cause: unknown) => {
    return withRan(asBunhouseError(cause, `reading ${name}`), ran)
  }
  return { total, first: new Uint8Array(0), body, broken }
}

/** One that is held already. */
export function heldPayload(bytes: Uint8Array): OpenPayload {
  return { total: bytes.length, first: bytes, body: NOTHING_MORE, broken: tooShort }
}

const NOTHING_MORE: BodyReader = { read: async () => undefined, cancel: async () => {} }

function tooShort(at: number, cause: unknown): BunhouseError {
  return asBunhouseError(cause, `reading a payload behind ${at} bytes`)
}

/** The next bytes of `body`. Rejects when it has ended, or stands still. */
export async function nextBytes(body: BodyReader): Promise<Uint8Array> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new Error("the body stands still")),
    LARGE_BODY_STALL_MS_MAX,
  )
  try {
    const chunk = await Promise.race([body.read(), late])
    if (chunk === undefined) throw new Error("the body has ended")
    return chunk
  } finally {
    clearTimeout(timer)
  }
}
