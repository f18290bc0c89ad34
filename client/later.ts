import { encodeArgs } from "../protocol/codec/index.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { FrameFlag } from "../protocol/frame.ts"
import type { FunctionInfo } from "../protocol/function-spec.ts"
import type { LaterCall } from "../protocol/later.ts"
import { ENV_PAYLOAD_BYTES_MAX, LATER_CALLS_MAX } from "../protocol/limits.ts"
import { isGeneratorKind } from "../protocol/members.ts"
import { type CallSettings, settingsOf } from "./call-settings.ts"
import type { Link } from "./link.ts"
import type { Names } from "./outcome.ts"
import type { CallOptions } from "./remote.ts"

/** What `f.later(…)` stands for: a call that is made where its result is needed. */
interface Later {
  readonly link: Link
  readonly settings: CallSettings
  readonly key: string | undefined
  readonly args: readonly unknown[]
}

/**
 * What `f.later(…)` returns: known by its identity, and of no other use than to be passed on.
 *
 * @throws {BunhouseError} INVALID_ARGUMENT for generator functions, and for options that cannot go along.
 */
export function standInFor(
  parts: { readonly link: Link; readonly info: FunctionInfo; readonly options: CallOptions },
  args: readonly unknown[],
): object {
  const { link, info, options } = parts
  const settings = settingsOf(parts)
  const { idempotencyKey: key } = options
  if (isGeneratorKind(info.kind)) throw refusal(settings.names, "of a generator is no value")
  if (options.signal !== undefined || options.retries !== undefined) {
    throw refusal(settings.names, "takes no signal and no retries: give them to the call it is for")
  }
  const standIn = new Proxy({}, USELESS)
  laters.set(standIn, { link, settings, key, args })
  return standIn
}

/** The arguments of a call as they travel, and the flags of its frame. */
export interface EncodedCall {
  readonly payload: Uint8Array
  readonly flags: number
}

/** Throws VALUE_NOT_SENDABLE, PAYLOAD_TOO_LARGE, INVALID_ARGUMENT. */
export function encodeCall(
  args: readonly unknown[],
  link: Link,
  names: Names,
  bytesMax = ENV_PAYLOAD_BYTES_MAX,
): EncodedCall {
  if (!hasLaters(args)) return { payload: encodeArgs(args, bytesMax), flags: 0 }
  return { payload: encodeArgs(withLaters(args, link, names), bytesMax), flags: FrameFlag.later }
}

export function hasLaters(args: readonly unknown[]): boolean {
  return args.some((arg) => laterOf(arg) !== undefined)
}

/** Whether all calls that would be made for `args` have keys, so that making them twice does no harm. */
export function areKeyed(args: readonly unknown[]): boolean {
  return args.every((arg) => {
    const later = laterOf(arg)
    return later === undefined || (later.key !== undefined && areKeyed(later.args))
  })
}

/** The calls leave holes, and a list behind the last argument says which and where. */
export function withLaters(args: readonly unknown[], link: Link, names: Names): unknown[] {
  const calls = new Map<Later, { -readonly [K in keyof LaterCall]: LaterCall[K] }>()
  const rest = args.map((arg, place) => {
    const later = laterOf(arg)
    if (later === undefined) return arg
    const said = calls.get(later)
    if (said === undefined) calls.set(later, { ...describe(later, link, names), places: [place] })
    else said.places = [...said.places, place]
    return null
  })
  if (calls.size <= LATER_CALLS_MAX) return [...rest, [...calls.values()]]
  throw refusal(names, `can stand for at most ${LATER_CALLS_MAX} arguments of one call`)
}

function describe(later: Later, link: Link, names: Names): Omit<LaterCall, "places"> {
  const { settings, key, args } = later
  if (later.link !== link && later.link.address().url !== link.address().url) {
    throw refusal(settings.names, `is of another daemon than ${names.env}/${names.function}`)
  }
  const { env, function: fn } = settings.names
  const { payload, flags } = encodeCall(args, later.link, settings.names)
  const { timeoutMs } = settings
  return { env, function: fn, payload, flags, timeoutMs, ...(key !== undefined && { key }) }
}

function laterOf(arg: unknown): Later | undefined {
  return typeof arg === "object" && arg !== null ? laters.get(arg) : undefined
}

const laters = new WeakMap<object, Later>()

const USELESS: ProxyHandler<object> = {
  get: () => refuseUse(),
  set: () => refuseUse(),
  ownKeys: () => refuseUse(),
  getPrototypeOf: () => refuseUse(),
  // Whoever looks through arguments asks.
  has: () => false,
}

function refuseUse(): never {
  throw new BunhouseError("INVALID_ARGUMENT", NO_VALUE)
}

const NO_VALUE =
  "what .later(…) returns stands for a result that is not here: pass it to a remote function as an argument of its own, or await the call itself"

function refusal({ env, function: fn }: Names, reason: string): BunhouseError {
  return new BunhouseError("INVALID_ARGUMENT", `${env}/${fn}: .later(…) ${reason}`, {
    env,
    function: fn,
  })
}
