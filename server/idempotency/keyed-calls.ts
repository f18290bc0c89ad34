import { type Clock, Deadlines, now } from "../../protocol/deadlines.ts"
import { asBunhouseError, BunhouseError } from "../../protocol/errors.ts"
import { readExtra } from "../../protocol/extra.ts"
import { FrameFlag, type FrameReader } from "../../protocol/frame.ts"
import {
  IDEMPOTENCY_BYTES_MAX,
  IDEMPOTENCY_KEYS_MAX,
  IDEMPOTENCY_STORED_BYTES_MAX,
  IDEMPOTENCY_TTL_MS,
  IDEMPOTENCY_WAITERS_MAX,
  OVERLOADED_RETRY_AFTER_MS,
} from "../../protocol/limits.ts"
import { Call, type Caller } from "../calls/call.ts"
import type { CallDesk } from "../calls/call-desk.ts"
import { callError } from "../calls/call-error.ts"
import type { Dispatcher } from "../calls/dispatcher.ts"
import { type Blocked, type CallsKnown, checkNesting } from "../calls/nesting.ts"
import type { FunctionRoute } from "../calls/route.ts"
import type { StoredPayloads } from "../payloads/stored-payloads.ts"
import { Asker, type AskerEvents, differ } from "./asker.ts"
import { frameBy } from "./frames.ts"
import { type CallEnd, KeyedCall, type KeyedEnd } from "./keyed-call.ts"
import { OutcomeFeed } from "./outcome-feed.ts"
import { outcomeOf, Outcomes, type RecordedOutcome } from "./outcomes.ts"
import { conflict, isStream, unknowable } from "./refusals.ts"

/**
 * Calls with an idempotency key, in front of the dispatcher: of all calls of one function with one key, one runs.
 * Calls without a key pass through.
 *
 * Invariants:
 * U1. While the call of a key is in flight, others with it join: all of them are told its one end.
 * U2. An end by which the function certainly ran (its result, what it threw) is recorded, and told to whoever comes
 *     later. Any other end (env process lost, deadline, refusal, what another function threw whose result was an argument)
 *     forgets the key: the next call runs the function.
 * U3. The same key with other arguments is refused; with another function it is another key. Nobody is told an outcome
 *     before it is known that his arguments are those of the call that ran.
 * U4. A call with a key outlives its caller's connection, because the caller will ask again; a cancel ends it when
 *     nobody else waits for it.
 * U5. A daemon that cannot know whether the function ran (the call was first tried in another life) says so.
 * U6. Arguments in parts are brought to the env process by one of those who ask. If that one goes before they are
 *     complete, the next one brings his; the others' are looked at once they are.
 */
export class KeyedCalls implements CallDesk {
  readonly #options: KeyedCallsOptions
  readonly #known: CallsKnown
  readonly #running = new Map<string, KeyedCall>()
  readonly #outcomes: Outcomes
  /** Those who wait, by the call that each was given. */
  readonly #askers = new Map<Call, Asker>()
  readonly #deadlines: Deadlines<Call>
  readonly #now: () => number

  constructor(options: KeyedCallsOptions) {
    const { bootId, dispatcher, payloads, clock } = options
    this.#options = options
    this.#known = { bootId, callOf: (id) => dispatcher.callOf(id) }
    this.#deadlines = new Deadlines((call) => this.#due(call), clock)
    this.#now = clock === undefined ? now : () => clock.now()
    this.#outcomes = new Outcomes({
      ttlMs: IDEMPOTENCY_TTL_MS,
      countMax: IDEMPOTENCY_KEYS_MAX,
      bytesMax: IDEMPOTENCY_BYTES_MAX,
      storedBytesMax: IDEMPOTENCY_STORED_BYTES_MAX,
      now: this.#now,
      drop: (content) => payloads.drop(content),
    })
  }

  submit(caller: Caller, frame: FrameReader, route: FunctionRoute): Call | undefined {
    if (!frame.hasExtra) return this.#options.dispatcher.submit(caller, frame, route)
    const call = new Call(caller, frame.id, route, 0)
    try {
      const extra = readExtra(frame.extra)
      const blocked = checkNesting(extra, route, this.#known)
      if (extra.key === undefined) return this.#dispatch(caller, frame, route, blocked)
      if (frame.flags & (FrameFlag.stream | FrameFlag.streamedArguments)) throw isStream(route)
      const { timeoutMs } = frame
      const dueAt = timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.#now() + timeoutMs
      const asker = new Asker(frame, { call, key: extra.key, blocked, dueAt }, this.#events)
      return this.#submit(asker, frame, extra.boot)
    } catch (cause) {
      const error = asBunhouseError(cause, "admitting a call")
      call.state = "closed"
      caller.fail(frame.id, error, call)
      return undefined
    }
  }

  cancel(call: Call): void {
    const asker = this.#forget(call)
    if (asker === undefined) return this.#options.dispatcher.cancel(call)
    const { keyed } = asker
    if (keyed?.call === undefined) return
    if (keyed.askers.size === 0) this.#giveUp(keyed)
    else if (keyed.bringer === asker && !asker.isComplete) this.#handOver(keyed)
  }

  /** U4. */
  leave(call: Call): void {
    const asker = this.#askers.get(call)
    const isBringing = asker !== undefined && asker.keyed?.bringer === asker && !asker.isComplete
    if (asker === undefined || isBringing) return this.cancel(call)
    this.#forget(call)
  }

  /** Throws what refuses the call. */
  #submit(asker: Asker, frame: FrameReader, boot: string | undefined): Call | undefined {
    const { call, key, fingerprint } = asker
    const { route } = call
    const id = JSON.stringify([route.env.name, route.info.name, key])
    asker.outcome = this.#outcomes.get(id)
    const running = this.#running.get(id)
    const known = running?.bringer.fingerprint ?? asker.outcome?.fingerprint
    if (known !== undefined && differ(known, fingerprint)) throw conflict(asker) // U3
    if (running !== undefined) return this.#join(running, asker)
    if (asker.outcome !== undefined) return this.#ask(asker, asker.outcome)
    if (boot !== undefined && boot !== this.#options.bootId) throw unknowable(route) // U5
    const keyed = new KeyedCall(id, asker, this.#options.payloads, this.#ended)
    this.#running.set(id, keyed)
    this.#wait(asker, keyed)
    this.#bring(keyed, asker, frame)
    return keyed.call === undefined ? undefined : call
  }

  /** `frame` is that of the asker's call. */
  #bring(keyed: KeyedCall, asker: Asker, frame: FrameReader): void {
    keyed.bringer = asker
    keyed.call = this.#dispatch(keyed, frame, asker.call.route, asker.blocked)
    if (keyed.call !== undefined) asker.bring(keyed.call)
  }

  #dispatch(
    caller: Caller,
    frame: FrameReader,
    route: FunctionRoute,
    blocked: Blocked | undefined,
  ): Call | undefined {
    const call = this.#options.dispatcher.submit(caller, frame, route)
    if (call !== undefined) call.blocked = blocked
    return call
  }

  /** U1. A joining call has its own deadline as well as that of the call that runs. */
  #join(keyed: KeyedCall, asker: Asker): Call {
    if (this.#askers.size >= IDEMPOTENCY_WAITERS_MAX) {
      const message = `${asker.call.route.address}: too many calls wait for calls with the same key`
      throw new BunhouseError("OVERLOADED", message, { retryAfterMs: OVERLOADED_RETRY_AFTER_MS })
    }
    this.#wait(asker, keyed)
    this.#limit(asker)
    if (keyed.bringer.isComplete && !asker.isComplete) asker.look() // U6
    return asker.call
  }

  /** Whoever asks when the outcome is there. Undefined when he was told. */
  #ask(asker: Asker, outcome: RecordedOutcome): Call | undefined {
    if (asker.isComplete && outcome.content === undefined) {
      tell(asker.call, outcome)
      return undefined
    }
    this.#wait(asker)
    this.#limit(asker)
    if (asker.isComplete) this.#send(asker, outcome)
    else asker.look()
    return asker.call
  }

  #wait(asker: Asker, keyed?: KeyedCall): void {
    asker.keyed = keyed
    keyed?.askers.add(asker)
    this.#askers.set(asker.call, asker)
  }

  #limit({ call, dueAt }: Asker): void {
    if (Number.isFinite(dueAt)) this.#deadlines.add(call, Math.max(1, dueAt - this.#now()))
  }

  /** Undefined where the call has no key, or nobody waits for it any more. */
  #forget(call: Call): Asker | undefined {
    const asker = this.#askers.get(call)
    if (asker === undefined) return undefined
    this.#askers.delete(call)
    this.#deadlines.remove(call)
    asker.keyed?.askers.delete(asker)
    asker.feed?.stop()
    call.state = "closed"
    return asker
  }

  #giveUp(keyed: KeyedCall): void {
    this.#running.delete(keyed.id)
    keyed.giveUp()
    if (keyed.call !== undefined) this.#options.dispatcher.cancel(keyed.call)
  }

  /** U6. */
  #handOver(keyed: KeyedCall): void {
    const [next] = keyed.askers
    const frame = next?.frame()
    if (next === undefined || frame === undefined || keyed.call === undefined) return
    this.#options.dispatcher.cancel(keyed.call)
    this.#bring(keyed, next, frame)
  }

  readonly #events: AskerEvents = {
    complete: (asker) => {
      const { keyed, outcome } = asker
      if (!this.#askers.has(asker.call)) return
      if (keyed?.bringer === asker) {
        for (const other of keyed.askers) if (!other.isComplete) other.look()
        return
      }
      const known = keyed?.bringer.fingerprint ?? outcome?.fingerprint
      if (known !== undefined && differ(known, asker.fingerprint)) {
        this.#refuse(asker, conflict(asker)) // U3
      } else if (outcome !== undefined) this.#send(asker, outcome)
    },
    broken: (asker, error) => this.#refuse(asker, error),
  }

  #refuse(asker: Asker, error: BunhouseError): void {
    const { call } = asker
    if (this.#forget(call) !== undefined) call.caller?.fail(call.callerId, error, call)
  }

  readonly #ended: KeyedEnd = (keyed, end) => {
    this.#running.delete(keyed.id)
    const outcome = outcomeOf(keyed.bringer.fingerprint, end)
    if (outcome !== undefined) this.#outcomes.add(keyed.id, outcome)
    for (const asker of keyed.askers) {
      keyed.askers.delete(asker)
      asker.keyed = undefined
      if (outcome === undefined) this.#told(asker, end)
      else {
        asker.outcome = outcome
        if (asker.isComplete) this.#send(asker, outcome)
      }
    }
  }

  #told(asker: Asker, end: CallEnd): void {
    const { call } = asker
    this.#forget(call)
    if ("error" in end) call.caller?.fail(call.callerId, end.error, end.call)
    else call.caller?.deliver(call.callerId, end.frame, end.call)
  }

  /** To one whose arguments are those of the call that ran (U3). */
  #send(asker: Asker, outcome: RecordedOutcome): void {
    const { call } = asker
    const { content } = outcome
    if (content === undefined) {
      this.#forget(call)
      return tell(call, outcome)
    }
    if (call.timedList === undefined) this.#limit(asker)
    asker.feed = new OutcomeFeed(call, this.#options.payloads, content, (error) => {
      if (this.#forget(call) === undefined) return
      if (error === undefined) tell(call, outcome)
      else call.caller?.fail(call.callerId, error, outcome.call)
    })
    asker.feed.announce()
  }

  #due(call: Call): void {
    const { caller, callerId, route } = call
    const asker = this.#askers.get(call)
    const running = asker?.keyed?.call
    const isThere = asker?.outcome !== undefined
    this.cancel(call)
    const about = running ?? asker?.outcome?.call ?? call
    const reason = isThere
      ? "the deadline passed before the result was sent"
      : "the deadline passed while another call with the same key was running"
    const ran = isThere ? "yes" : (running?.ran ?? "no")
    const error = callError(this.#options.bootId, about, "DEADLINE_EXCEEDED", ran, reason)
    if (caller === undefined) return
    caller.fail(callerId, error, new Call(caller, callerId, route, about.serial))
  }
}

export interface KeyedCallsOptions {
  readonly dispatcher: Dispatcher
  readonly bootId: string
  /** Where results are kept that are too large for a frame. */
  readonly payloads: StoredPayloads
  readonly clock?: Clock
}

function tell({ caller, callerId }: Call, { batch, call }: RecordedOutcome): void {
  caller?.deliver(callerId, frameBy(batch), call)
}
