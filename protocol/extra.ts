import { BunhouseError } from "./errors.ts"
import { Fields, parseJson } from "./fields.ts"
import { IDEMPOTENCY_KEY_BYTES_MAX, NESTING_MAX } from "./limits.ts"

/**
 * What a call says beside its arguments: the metadata block of a call frame, as JSON text. Most calls have none, and
 * cost nothing for that others may. Fields that a reader does not know are passed over, so that they can be added.
 */
export interface CallExtra {
  /** Calls of one function with one key run once: who asks again is told the outcome of the first. */
  readonly key?: string
  /** Life of the daemon (`bootId`) in which this call was tried before, without the caller having learned its end. */
  readonly boot?: string
  /** Of a call that a remote function makes: how many calls are around it. */
  readonly depth?: number
  /** The outermost of these, by its public id. */
  readonly root?: string
  /** The call whose function is blocked until this one ends. */
  readonly blocks?: BlockedCall
}

/** A call that is blocked, and with it the calls that are blocked until it ends. */
export interface BlockedCall {
  /**
   * The innermost that the daemon knows, by the id that its env process knows it under and, because that is used again, by its
   * public one.
   */
  readonly known?: { readonly id: number; readonly callId: string }
  /** How many calls are blocked inside of that which the daemon does not know: they have a thread each of this env. */
  readonly own?: OwnThreads
}

export interface OwnThreads {
  readonly env: string
  readonly threads: number
}

/** No bytes for nothing to say. Throws INVALID_ARGUMENT for a key that cannot be. */
export function encodeExtra(extra: CallExtra): Uint8Array {
  const { key, depth } = extra
  if (key === undefined && depth === undefined) return NO_EXTRA
  if (key !== undefined) checkIdempotencyKey(key)
  return Buffer.from(JSON.stringify(extra))
}

/** Throws INVALID_ARGUMENT. */
export function readExtra(bytes: Uint8Array): CallExtra {
  const what = "the metadata of a call"
  const fields = new Fields(what, parseJson(what, Buffer.from(bytes).toString()))
  const key = fields.optionalText("key")
  const boot = fields.optionalText("boot")
  const root = fields.optionalText("root")
  const depth = fields.integer("depth", 0, Number.MAX_SAFE_INTEGER, 0)
  const blocks = fields.optional("blocks", readBlocked)
  if (key !== undefined) checkIdempotencyKey(key)
  // Field by field: calls that functions make are all read.
  const extra: Writable<CallExtra> = {}
  if (key !== undefined) extra.key = key
  if (boot !== undefined) extra.boot = boot
  if (depth > 0) extra.depth = depth
  if (root !== undefined) extra.root = root
  if (blocks !== undefined) extra.blocks = blocks
  return extra
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

function readBlocked(fields: Fields): BlockedCall {
  const known = fields.optional("known", (call) => ({
    id: call.integer("id", 0, 0xffff_ffff),
    callId: call.text("callId"),
  }))
  const own = fields.optional("own", (its) => ({
    env: its.text("env"),
    threads: its.integer("threads", 1, NESTING_MAX),
  }))
  return { ...(known !== undefined && { known }), ...(own !== undefined && { own }) }
}

export function checkIdempotencyKey(key: string): void {
  const bytes = typeof key === "string" ? Buffer.byteLength(key) : 0
  if (bytes > 0 && bytes <= IDEMPOTENCY_KEY_BYTES_MAX && key.isWellFormed()) return
  const got = Bun.inspect(key).slice(0, 60)
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `expected an idempotency key to be a text of 1 to ${IDEMPOTENCY_KEY_BYTES_MAX} bytes, got ${got}`,
  )
}

export const NO_EXTRA: Uint8Array = new Uint8Array(0)
