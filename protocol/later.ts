import { BunhouseError } from "./errors.ts"
import { Fields } from "./fields.ts"
import { CALL_TIMEOUT_MS_MAX, LATER_CALLS_MAX } from "./limits.ts"

/** A call whose result is an argument of another one, as the list behind that one's last argument has it. */
export interface LaterCall {
  /** Of the arguments for which its result stands. */
  readonly places: readonly number[]
  readonly env: string
  readonly function: string
  /** Its own arguments, and the flags of its frame. */
  readonly payload: Uint8Array
  readonly flags: number
  /** 0 for none. */
  readonly timeoutMs: number
  /** Its idempotency key. */
  readonly key?: string
}

/** Reads the list, for a call of `count` arguments. Throws PROTOCOL_ERROR. */
export function readLaterCalls(input: unknown, count: number): LaterCall[] {
  if (!Array.isArray(input) || input.length > LATER_CALLS_MAX) throw noCalls()
  return input.map((said: unknown) => readLaterCall(said, count))
}

function readLaterCall(said: unknown, count: number): LaterCall {
  const fields = new Fields("a call that is to be made first", said)
  const payload = fields.unknown("payload")
  const places = fields.list("places")
  const isPlace = (place: unknown): place is number =>
    typeof place === "number" && Number.isInteger(place) && place >= 0 && place < count
  if (!(payload instanceof Uint8Array) || !places.every(isPlace)) throw noCalls()
  const key = fields.optionalText("key")
  return {
    places,
    env: fields.text("env"),
    function: fields.text("function"),
    payload,
    flags: fields.integer("flags", 0, 0xff),
    timeoutMs: fields.integer("timeoutMs", 0, CALL_TIMEOUT_MS_MAX),
    ...(key !== undefined && { key }),
  }
}

function noCalls(): BunhouseError {
  return new BunhouseError(
    "PROTOCOL_ERROR",
    "the list of the calls that are to be made first is none",
  )
}
