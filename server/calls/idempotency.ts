import { type Clock, Deadlines, now } from "../../protocol/deadlines.ts"
import { asBunhouseError, BunhouseError, decodeErrorRecord } from "../../protocol/errors.ts"
import { type CallExtra, readExtra } from "../../protocol/extra.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { isOfAnother } from "../../protocol/origin.ts"
import {
  IDEMPOTENCY_BYTES_MAX,
  IDEMPOTENCY_KEYS_MAX,
  IDEMPOTENCY_TTL_MS,
  IDEMPOTENCY_WAITERS_MAX,
  OVERLOADED_RETRY_AFTER_MS,
  PAYLOAD_BYTES_MAX,
} from "../../protocol/limits.ts"
import { Call, type Caller } from "./call.ts"
import type { CallDesk } from "./call-desk.ts"
import { callError } from "./call-error.ts"
import type { Dispatcher } from "./dispatcher.ts"
import { type Blocked, type CallsKnown, checkNesting } from "./nesting.ts"
import { Outcomes } from "./outcomes.ts"
import type { FunctionRoute } from "./route.ts"

/**
 * Calls with an idempotency key, in front of the dispatcher: of all calls of one function with one key, one runs.
 * Calls without a key pass through.
 *
 * Invariants:
 * U1. While the call of a key is in flight, others with it join: all of them are told its one end.
 * U2. An end by which the function certainly ran (its result, what it threw) is recorded, and told to whoever comes
 *     later. Any other end (env process lost, deadline, refusal, what another function threw whose result was an argument)
 *     forgets the key: the next call runs the function.
 * U3. The same key with other arguments is refused; with another function it is another key.
 * U4. A call with a key outlives its caller's connection, because the caller will ask again; a cancel ends it when
 *     nobody else waits for it.
 * U5. A daemon that cannot know whether the function ran (the call was first tried in another life) says so.
 */
export class KeyedCalls implements CallDesk {
  readonly #dispatcher: Dispatcher
  readonly #bootId: string
  readonly #known: CallsKnown
  readonly #running = new Map<string, KeyedCall>()
  readonly #outcomes: Outcomes
  /** Those who wait for a keyed call, by the call that each was given. */
  readonly #waiters = new Map<Call, KeyedCall>()
  readonly #deadlines: Deadlines<Call>
  readonly #frame = new FrameReader()

  constructor(dispatcher: Dispatcher, bootId: string, clock?: Clock) {
    this.#dispatcher = dispatcher
    this.#bootId = bootId
    this.#known = { bootId, callOf: (id) => dispatcher.callOf(id) }
    this.#deadlines = new Deadlines((waiter) => this.#due(waiter), clock)
    this.#outcomes = new Outcomes({
      ttlMs: IDEMPOTENCY_TTL_MS,
      countMax: IDEMPOTENCY_KEYS_MAX,
      bytesMax: IDEMPOTENCY_BYTES_MAX,
      now: clock === undefined ? now : () => clock.now(),
    })
  }

  submit(caller: Caller, frame: FrameReader, route: FunctionRoute): Call | undefined {
    if (!frame.hasExtra) return this.#dispatcher.submit(caller, frame, route)
    const waiter = new Call(caller, frame.id, route, 0)
    try {
      const extra = readExtra(frame.extra)
      const blocked = checkNesting(extra, route, this.#known)
      if (extra.key === undefined) return this.#dispatch(caller, frame, route, blocked)
      if (frame.flags & (FrameFlag.stream | FrameFlag.streamedArguments)) throw isStream(route)
      if (frame.flags & FrameFlag.parts) throw tooLarge(route, frame.serial)
      // Who asks again is told the result from here.
      frame.mark(FrameFlag.whole)
      return this.#submit(waiter, frame, extra.key, extra, blocked)
    } catch (cause) {
      const error = asBunhouseError(cause, "admitting a call")
      waiter.state = "closed"
      caller.fail(frame.id, error, waiter)
      return undefined
    }
  }

  cancel(call: Call): void {
    const keyed = this.#forget(call)
    if (keyed === undefined) return this.#dispatcher.cancel(call)
    if (keyed.waiters.size > 0 || keyed.call === undefined) return
    this.#running.delete(keyed.id)
    this.#dispatcher.cancel(keyed.call)
  }

  /** U4. */
  leave(call: Call): void {
    if (this.#forget(call) === undefined) this.#dispatcher.cancel(call)
  }

  /** Throws what refuses the call. */
  #submit(
    waiter: Call,
    frame: FrameReader,
    key: string,
    extra: CallExtra,
    blocked: Blocked | undefined,
  ): Call | undefined {
    const { route } = waiter
    const id = JSON.stringify([route.env.name, route.info.name, key])
    const digest = digestOf(frame)
    const outcome = this.#outcomes.get(id)
    const running = this.#running.get(id)
    const known = running ?? outcome
    if (known !== undefined && known.digest !== digest) throw conflict(route, key) // U3
    if (outcome !== undefined) {
      this.#frame.open(outcome.batch)
      this.#frame.next()
      waiter.caller?.deliver(waiter.callerId, this.#frame, outcome.call)
      return undefined
    }
    if (running !== undefined) return this.#join(running, waiter, frame.timeoutMs)
    if (extra.boot !== undefined && extra.boot !== this.#bootId) throw unknowable(route) // U5
    const keyed = new KeyedCall(id, digest, this.#ended)
    this.#running.set(id, keyed)
    this.#wait(keyed, waiter)
    keyed.call = this.#dispatch(keyed, frame, route, blocked)
    return keyed.call === undefined ? undefined : waiter
  }

  #dispatch(
    caller: Caller,
    frame: FrameReader,
    route: FunctionRoute,
    blocked: Blocked | undefined,
  ): Call | undefined {
    const call = this.#dispatcher.submit(caller, frame, route)
    if (call !== undefined) call.blocked = blocked
    return call
  }

  /** U1. A joining call has its own deadline as well as that of the call that runs. */
  #join(keyed: KeyedCall, waiter: Call, timeoutMs: number): Call {
    if (this.#waiters.size >= IDEMPOTENCY_WAITERS_MAX) {
      const message = `${waiter.route.address}: too many calls wait for calls with the same key`
      throw new BunhouseError("OVERLOADED", message, { retryAfterMs: OVERLOADED_RETRY_AFTER_MS })
    }
    this.#wait(keyed, waiter)
    this.#deadlines.add(waiter, timeoutMs)
    return waiter
  }

  #wait(keyed: KeyedCall, waiter: Call): void {
    keyed.waiters.add(waiter)
    this.#waiters.set(waiter, keyed)
  }

  /** Undefined where the call has no key, or nobody waits for it any more. */
  #forget(waiter: Call): KeyedCall | undefined {
    const keyed = this.#waiters.get(waiter)
    if (keyed === undefined) return undefined
    this.#waiters.delete(waiter)
    this.#deadlines.remove(waiter)
    keyed.waiters.delete(waiter)
    waiter.state = "closed"
    return keyed
  }

  readonly #ended: KeyedEnd = (keyed, call, frame, tell) => {
    this.#running.delete(keyed.id)
    // U2
    if (frame !== undefined && hasRun(frame)) {
      this.#outcomes.add(keyed.id, { digest: keyed.digest, batch: batchOf(frame), call })
    }
    for (const waiter of keyed.waiters) {
      const { caller } = waiter
      this.#forget(waiter)
      if (caller !== undefined) tell(caller, waiter.callerId)
    }
  }

  #due(waiter: Call): void {
    const { caller, route } = waiter
    const running = this.#waiters.get(waiter)?.call
    const ran = running?.ran ?? "no"
    this.cancel(waiter)
    if (caller === undefined) return
    const about = running ?? waiter
    const reason = "the deadline passed while another call with the same key was running"
    const error = callError(this.#bootId, about, "DEADLINE_EXCEEDED", ran, reason)
    waiter.caller = undefined
    caller.fail(waiter.callerId, error, new Call(caller, waiter.callerId, route, about.serial))
  }
}

type KeyedEnd = (
  keyed: KeyedCall,
  call: Call,
  frame: FrameReader | undefined,
  tell: (caller: Caller, callerId: number) => void,
) => void

/** The call of a key, as the dispatcher's caller. */
class KeyedCall implements Caller {
  readonly id: string
  /** Of the arguments. */
  readonly digest: string
  readonly waiters = new Set<Call>()
  /** The dispatcher's. */
  call: Call | undefined = undefined
  readonly #ended: KeyedEnd

  constructor(id: string, digest: string, ended: KeyedEnd) {
    this.id = id
    this.digest = digest
    this.#ended = ended
  }

  deliver(_callerId: number, frame: FrameReader, call: Call): void {
    this.#ended(this, call, frame, (caller, id) => caller.deliver(id, frame, call))
  }

  log(_callerId: number, frame: FrameReader, call: Call): void {
    for (const { caller, callerId } of this.waiters) caller?.log(callerId, frame, call)
  }

  flow(): void {
    // A call with a key has no streams.
  }

  fail(_callerId: number, error: BunhouseError, call: Call): void {
    this.#ended(this, call, undefined, (caller, id) => caller.fail(id, error, call))
  }
}

function hasRun(frame: FrameReader): boolean {
  if (isOfAnother(frame.extra)) return false
  if (frame.type === FrameType.reply || (frame.flags & FrameFlag.thrown) !== 0) return true
  return decodeErrorRecord(frame.payload).ran === "yes"
}

function batchOf(frame: FrameReader): Uint8Array {
  const writer = new FrameWriter()
  writer.append(frame.bytes.subarray(frame.start, frame.end))
  // `take` hands out a view of a buffer that is larger.
  return new Uint8Array(writer.take())
}

/** The encoding of the arguments counts: an outcome is in the encoding of the call that it was for. */
function digestOf({ bytes, payloadStart, end, flags }: FrameReader): string {
  const hash = new Bun.CryptoHasher("sha256").update(bytes.subarray(payloadStart, end))
  return `${hash.digest("base64")}${flags & FrameFlag.json}`
}

function conflict(route: FunctionRoute, key: string): BunhouseError {
  const message = `${route.address}: the idempotency key ${JSON.stringify(key)} was used with other arguments: use a key for one call only`
  return new BunhouseError("IDEMPOTENCY_CONFLICT", message, {
    env: route.env.name,
    function: route.info.name,
  })
}

function isStream({ env, address, info }: FunctionRoute): BunhouseError {
  const message = `${address}: a call with streams takes no idempotency key: what it streams is told once`
  return new BunhouseError("INVALID_ARGUMENT", message, { env: env.name, function: info.name })
}

function tooLarge({ env, address, info }: FunctionRoute, bytes: number): BunhouseError {
  const message = `${address}: the arguments take ${bytes} bytes, over the limit of ${PAYLOAD_BYTES_MAX} for calls with an idempotency key`
  return new BunhouseError("PAYLOAD_TOO_LARGE", message, { env: env.name, function: info.name })
}

function unknowable(route: FunctionRoute): BunhouseError {
  const message = `${route.address}: the daemon was started anew since the call was first tried, and does not know whether it ran`
  return new BunhouseError("DAEMON_LOST", message, {
    env: route.env.name,
    function: route.info.name,
  })
}
