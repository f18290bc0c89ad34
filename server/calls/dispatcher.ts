import { type Clock, remainingMs } from "../../protocol/deadlines.ts"
import type { BunhouseError, ErrorCode, Ran } from "../../protocol/errors.ts"
import { FrameFlag, FrameReader, FrameType } from "../../protocol/frame.ts"
import { admissionRefusal } from "./admission.ts"
import { Call, type Caller } from "./call.ts"
import { CallsInFlight } from "./calls-in-flight.ts"
import { callError, withRan } from "./call-error.ts"
import type { CallQueue } from "./call-queue.ts"
import { isPassing, passOn, sendHeldCredit } from "./flow.ts"
import type { Lane } from "./lane.ts"
import { saysGone } from "./instance-route.ts"
import { type About, type Report, reportIn, reportOf } from "./report.ts"
import { type EnvLink, type EnvRoute, type FunctionRoute, lanesOf } from "./route.ts"

/**
 * The daemon's data plane: every call in flight stands in its table, and every way in which a call can end leads
 * through its `settle`. It owns admission, queues and deadlines; it does not own processes, connections or code.
 *
 * Invariants (with those of call.ts):
 * P1. A call is in exactly one place: a function's waiting queue, a lane's queue, an env process, or closed.
 * P2. When an env process, the broker or a caller goes away, the calls concerned are settled at once from the table;
 *     none is left to time out.
 * P3. Payloads are never decoded here.
 */
export class Dispatcher {
  readonly #calls: CallsInFlight
  readonly #bootId: string
  #serial = 0
  /** Why nothing new is admitted: the daemon stops, or the broker stays away. */
  #refusal: BunhouseError | undefined

  constructor(bootId: string, clock?: Clock) {
    this.#bootId = bootId
    this.#calls = new CallsInFlight((call) => this.#due(call), clock)
  }

  get callsInFlight(): number {
    return this.#calls.size
  }

  /** By the id that env processes know it under. */
  callOf(id: number): Call | undefined {
    return this.#calls.get(id)
  }

  /** From now on every call is refused; what was admitted goes on. */
  refuseAll(error: BunhouseError): void {
    this.#refusal = error
    this.#calls.drain.begin()
  }

  /** After `refuseAll`: resolves when nobody waits for a call any more; abandoned ones may still run. */
  get drained(): Promise<void> {
    return this.#calls.drain.drained
  }

  /** Admits the call that `frame` stands on. Returns undefined when it was refused; the caller has been told. */
  submit(caller: Caller, frame: FrameReader, route: FunctionRoute): Call | undefined {
    const serial = (this.#serial = (this.#serial + 1) >>> 0)
    const call = new Call(caller, frame.id, route, serial, (frame.flags & FrameFlag.later) !== 0)
    const refusal = this.#refusal ?? admissionRefusal(route, frame, this.#calls.isFull)
    if (refusal !== undefined) {
      call.state = "closed"
      caller.fail(frame.id, refusal, call)
      return undefined
    }
    if (frame.flags & FrameFlag.parts) call.bytes = frame.serial
    this.#calls.open(call, frame.timeoutMs)
    const { index, lane, env } = route
    const { link } = env
    if (index !== undefined && link !== undefined && (call.isLater || lane.hasPlace)) {
      call.reach(link, frame.end - frame.start)
      if (call.isLater) lane.prepare(call)
      else call.occupy(lane)
      link.outbox.forward(frame, call.id, index, frame.timeoutMs, call.serial)
      return call
    }
    call.frame = frame.copy()
    if (index === undefined) this.#await(call)
    else lane.queue.push(call)
    return call
  }

  /** Nobody waits for the call any more; its caller settles its side itself. Legal at any time. */
  cancel(call: Call): void {
    this.#calls.settle(call)
    call.queue?.remove(call)
    call.frame = undefined
    if (call.state === "closed" || call.state === "abandoned") return
    if (call.link === undefined) return this.#calls.close(call)
    const { listener } = call
    call.state = "abandoned"
    if (listener === undefined) return
    listener.outbox.open(0).write(FrameType.cancel, 0, call.id, 0, 0, call.serial)
    listener.abandoned()
  }

  /** Of the env process `link`; `frame` stands on the first. What is about no call that was sent there is passed over. */
  replies(link: EnvLink, frame: FrameReader): void {
    do {
      if (frame.type === FrameType.report) link.reported(this.reportOf(link, reportIn(frame)))
      const call = this.#calls.get(frame.id)
      if (call === undefined || call.link !== link) continue // C4
      if (isPassing(frame.type)) passOn(call, frame)
      else if (frame.type === FrameType.ready) this.#prepared(call)
      else if (frame.type === FrameType.reply || frame.type === FrameType.error) {
        const caller = this.#calls.settle(call)
        if (saysGone(frame)) this.lost(call.route, "its thread ended")
        this.#release(call)
        caller?.deliver(call.callerId, frame, call)
      }
    } while (frame.next())
  }

  reportOf(link: EnvLink, about: About): Report {
    return reportOf(this.#calls, link, about)
  }

  /** The broker did not take a batch of calls: the env process never heard of them. */
  unsent(batch: Uint8Array, error: BunhouseError): void {
    const frame = new FrameReader()
    frame.open(batch)
    while (frame.next()) {
      const call = this.#calls.get(frame.id)
      if (call === undefined) continue
      if (frame.type === FrameType.call) this.#fail(call, error.code, "no", error.message)
      else if (isPassing(frame.type)) this.#giveUp(call, error.code, "maybe", error.message)
    }
  }

  /** The function can be called in the env process that serves the env now. */
  loaded(route: FunctionRoute, index: number): void {
    route.index = index
    const { lane } = route
    for (let call = route.waiting.shift(); call !== undefined; call = route.waiting.shift()) {
      lane.queue.push(call)
    }
    this.#fill(lane, route.env)
  }

  /** The function cannot be loaded now: what waits for that is refused. The next call asks again. */
  loadFailed(route: FunctionRoute, error: BunhouseError): void {
    this.#failWaiting(route.waiting, error)
  }

  /** The function was deleted: what waits is refused, what runs goes on. */
  removed(route: FunctionRoute, error: BunhouseError): void {
    this.#failWaiting(route.waiting, error)
    for (const { queue } of lanesOf(route.env)) this.#failWaiting(queue, error, route)
  }

  /** The instance is gone: what waits for it is refused, and what comes. */
  lost(route: FunctionRoute, reason: string): void {
    route.lose(reason)
    if (route.refusal !== undefined) this.#failWaiting(route.lane.queue, route.refusal, route)
  }

  /** What was sent to `link` will not be answered (C4): it is gone, or was cut off from the broker and gave it up. */
  linkLost(link: EnvLink, code: "WORKER_LOST" | "BROKER_LOST", reason: string): void {
    this.#lose((call) => call.link === link, code, reason)
  }

  /** No process has what the env had: what waits for a place waits for its function again; instances are gone. */
  unloaded(env: EnvRoute, reason: string): void {
    const lanes = [...lanesOf(env)]
    for (const instance of env.instances.values()) instance.lose(reason)
    for (const { queue } of lanes) {
      for (const call of queue) {
        // A process that was replaced may have what a call waits with (C5).
        if (call.link !== undefined) continue
        queue.remove(call)
        this.#await(call)
      }
    }
  }

  /** Nothing of the env can run: whatever waits is refused. */
  envRefused(env: EnvRoute, error: BunhouseError): void {
    for (const route of env.functions.values()) this.#failWaiting(route.waiting, error)
    for (const { queue } of lanesOf(env)) this.#failWaiting(queue, error)
  }

  /** There may be places, or a way to the env process, for what waits. */
  resume(env: EnvRoute): void {
    for (const lane of lanesOf(env)) this.#fill(lane, env)
  }

  /** Replies may have been dropped on the way: what was sent is settled, what waits stays. No env has a `link` now. */
  brokerLost(): void {
    const why = "the connection to the broker was lost during the call"
    this.#lose((call) => call.link !== undefined, "BROKER_LOST", why)
  }

  /** Refuses what has waited for as long as the broker may be away, and what comes until it is back. */
  brokerStaysAway(error: BunhouseError): void {
    if (!this.#calls.drain.hasBegun) this.#refusal = withRan(error, "no")
    for (const call of this.#calls) if (call.state === "waiting") this.#end(call, error)
  }

  brokerBack(): void {
    if (!this.#calls.drain.hasBegun) this.#refusal = undefined
  }

  /** Sends waiting calls as long as there are places. */
  #fill(lane: Lane, env: EnvRoute): void {
    while (lane.hasPlace && env.link !== undefined) {
      const call = lane.queue.shift()
      if (call === undefined) return
      this.#send(call, lane, env.link)
    }
  }

  #send(call: Call, lane: Lane, link: EnvLink): void {
    const { frame, route } = call
    if (call.link !== undefined) return this.#go(call, lane)
    if (frame === undefined || route.index === undefined) return this.#await(call)
    call.frame = undefined
    call.reach(link, frame.length)
    if (call.isLater) lane.prepare(call)
    else call.occupy(lane)
    link.outbox
      .open(frame.length)
      .copyBytes(frame, call.id, route.index, remainingMs(call.dueAt), call.serial)
    sendHeldCredit(call, link)
  }

  /** The env process has the arguments of the call, which needs a place now (C5). */
  #prepared(call: Call): void {
    if (call.state !== "preparing") return
    const { route } = call
    call.queue?.remove(call)
    if (route.refusal !== undefined) return this.#end(call, route.refusal)
    call.state = "waiting"
    route.lane.queue.push(call)
    this.#fill(route.lane, route.env)
  }

  /** The env process runs what it has. */
  #go(call: Call, lane: Lane): void {
    call.occupy(lane)
    const leftMs = remainingMs(call.dueAt)
    call.listener?.outbox.open(0).write(FrameType.ready, 0, call.id, 0, leftMs, call.serial)
  }

  /** The call waits until its function is loaded; what an instance was is not loaded again. */
  #await(call: Call): void {
    const { route } = call
    if (route.refusal !== undefined) return this.#end(call, route.refusal)
    route.index = undefined
    route.waiting.push(call)
    route.env.load(route)
  }

  /** The call's place is free again (C3). */
  #release(call: Call): void {
    this.#calls.close(call)
    call.queue?.remove(call)
    const { lane } = call
    if (lane === undefined) return
    const { env } = call.route
    if (lane.release(call.bytes)) this.resume(env)
    else if (lane.queue.length > 0) this.#fill(lane, env)
  }

  #due(call: Call): void {
    const isRunning = call.lane !== undefined
    const where = isRunning ? "while the call was running" : "before the call was started"
    this.#giveUp(call, "DEADLINE_EXCEEDED", call.ran, `the deadline passed ${where}`)
  }

  #giveUp(call: Call, code: ErrorCode, ran: Ran, reason: string): void {
    const { caller } = call
    this.cancel(call)
    caller?.fail(call.callerId, callError(this.#bootId, call, code, ran, reason), call)
  }

  /** What was sent will not be answered. */
  #lose(isLost: (call: Call) => boolean, code: ErrorCode, reason: string): void {
    for (const call of this.#calls) if (isLost(call)) this.#fail(call, code, "maybe", reason)
  }

  #fail(call: Call, code: ErrorCode, ran: Ran, reason: string): void {
    const caller = this.#calls.settle(call)
    this.#release(call)
    caller?.fail(call.callerId, callError(this.#bootId, call, code, ran, reason), call)
  }

  /** Refuses what waits in `queue`, of one function or of all. */
  #failWaiting(queue: CallQueue, error: BunhouseError, only?: FunctionRoute): void {
    for (const call of queue) if (call.route === (only ?? call.route)) this.#end(call, error)
  }

  /** Ends a call that waits. */
  #end(call: Call, error: BunhouseError): void {
    const { caller } = call
    this.cancel(call)
    caller?.fail(call.callerId, withRan(error, call.ran), call)
  }
}
