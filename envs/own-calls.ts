import type { AsyncLocalStorage } from "node:async_hooks"
import type { ChannelHandlers } from "../client/connection/transport.ts"
import { Deadlines } from "../protocol/deadlines.ts"
import { BunhouseError, encodeErrorRecord } from "../protocol/errors.ts"
import {
  CONNECTION_ID,
  FrameFlag,
  FrameReader,
  FrameType,
  FrameWriter,
  ReportKind,
} from "../protocol/frame.ts"
import { callIdOf } from "../protocol/hello.ts"
import {
  BODY_BYTES_MAX,
  NESTING_MAX,
  OWN_CALLS_BYTES_MAX,
  OWN_CALLS_MAX,
} from "../protocol/limits.ts"
import { Outbox } from "../protocol/outbox.ts"
import { PARTS_STREAM } from "../protocol/parts/part.ts"
import { isOwnId, OWN_GENERATIONS, SlotTable } from "../protocol/slots.ts"
import type { CallFacts, RunningCall } from "./call-context.ts"
import { LargePayloads } from "./large-payloads.ts"
import { Loop } from "./loop.ts"
import { OwnCall, type OwnFunction, ThreadFunction } from "./own-call.ts"
import { type CallsDesk, joined, OwnConnection, type Range } from "./own-connection.ts"
import { extraOf, type ReplySink } from "./run-call.ts"
import type { Served } from "./served.ts"
import type { ThreadSink } from "./threads/pool.ts"
import { UnreadyCalls } from "./unready-calls.ts"
import type { LoopWatch } from "./watchdog/loop-watch.ts"

/**
 * Calls that functions make to functions of their own process: they are the same frames, but stay in the process. What is
 * no such call goes on to the daemon, as does one for which there is no place, so that nothing is queued here.
 *
 * Invariants:
 * OC1. A call runs the version that the daemon would have it run at that time, and none that the daemon does not serve
 *      (SV1, SV3).
 * OC2. A call is answered once: by its function, by its deadline, or not at all when its caller gave it up. Its place is
 *      free when its function is done, and until then its id is given to no other, nor by the daemon.
 * OC3. Arguments and results are copies, as those of any call.
 * OC4. No function runs while another one is in the middle of making a call: a full outbox is sent in the middle of that.
 * OC5. A call takes a turn of the event loop at least, so that whoever makes one after another lets others have theirs.
 * OC6. A call has a thread at once or goes to the daemon, which counts the threads that such calls have. So whoever is
 *      blocked until such a call ends has not taken the thread that it needs.
 */
export class OwnCalls implements CallsDesk {
  readonly #facts: CallFacts
  readonly #served: Served
  readonly #functionAt: (index: number) => OwnFunction | undefined
  readonly #reports: ReplySink
  readonly #loop: Loop
  readonly #threads: Threads
  readonly #outbox: Outbox
  readonly #large: LargePayloads
  readonly #calls = new SlotTable<OwnCall>(OWN_GENERATIONS)
  readonly #deadlines = new Deadlines<OwnCall>((call) => this.#due(call))
  /** Batches that functions have sent and that are yet to be looked at (OC4). */
  #sent: Uint8Array[] = []
  #serial = 0
  /** Of the arguments of all of them. */
  #bytes = 0
  #onThreads = 0

  constructor({ facts, reports, storage, watch, served, functionAt, threads }: OwnCallsParts) {
    this.#facts = facts
    this.#served = served
    this.#functionAt = functionAt
    this.#reports = reports
    this.#threads = threads
    this.#outbox = new Outbox({
      send: (batch) => this.#answer(batch),
      messageBytesMax: BODY_BYTES_MAX,
      flushAfter: "turn", // OC5
    })
    this.#large = new LargePayloads({
      outbox: this.#outbox,
      unready: NONE_UNREADY,
      bytesMax: facts.payloadBytesMax,
    })
    this.#loop = new Loop(facts, this.#large, { storage, watch, isOwn: true })
  }

  /** A connection begins, to which answers go. */
  connect(handlers: Pick<ChannelHandlers, "message">): OwnConnection {
    return new OwnConnection(this, this.#facts.env, handlers)
  }

  /** What functions on the loop print during such a call. */
  log(id: number, lines: number, dropped: number, payload: string): void {
    this.#outbox.openText(payload).writeText(FrameType.log, id, lines, dropped, 0, payload)
  }

  sent(batch: Uint8Array): void {
    if (this.#sent.push(batch) === 1) queueMicrotask(this.#look)
  }

  admit(name: string, frame: FrameReader, connection: OwnConnection): OwnCall | undefined {
    const index = this.#served.indexOf(name) // OC1
    const fn = index === undefined ? undefined : this.#functionAt(index)
    const { flags, timeoutMs, serial: caller } = frame
    if (index === undefined || fn === undefined || flags & ELSEWHERE) return undefined
    if (!this.#hasPlace(fn)) return undefined
    const extra = extraOf(frame)
    // Who asks twice is told by the daemon, and so is a chain without an end.
    if (extra?.key !== undefined || (extra?.depth ?? 0) > NESTING_MAX) return undefined
    const serial = (this.#serial = (this.#serial + 1) >>> 0)
    const around = isOwnId(caller) ? (this.#calls.get(caller)?.around ?? caller) : caller
    const call = new OwnCall(frame, { connection, around, serial, fn, extra })
    call.id = this.#calls.open(call)
    this.#bytes += call.bytes
    if (fn instanceof ThreadFunction) this.#onThreads++
    this.#served.count(this.#calls.size, this.#onThreads)
    this.#deadlines.add(call, timeoutMs)
    frame.rename(call.id, index, timeoutMs, serial)
    return call
  }

  /** The call that reaches the limit of bytes still has a place, so that the largest one can have one. */
  #hasPlace(fn: OwnFunction): boolean {
    if (this.#calls.size >= OWN_CALLS_MAX || this.#bytes >= OWN_CALLS_BYTES_MAX) return false
    if (!(fn instanceof ThreadFunction)) return true
    return this.#served.hasThread(this.#threads.calls + this.#onThreads) // OC6
  }

  /** OC4. */
  readonly #look = (): void => {
    const sent = this.#sent
    this.#sent = []
    for (const batch of sent) this.#run(batch)
  }

  #run(batch: Uint8Array): void {
    const frame = new FrameReader()
    frame.open(batch)
    while (frame.next()) {
      const call = this.#calls.get(frame.id)
      if (call === undefined) continue
      if (frame.type === FrameType.cancel) this.cancel(frame.id)
      else if (frame.type === FrameType.credit && frame.serial === PARTS_STREAM) {
        this.#large.credit(frame.id, frame.timeoutMs)
      } else if (call.fn instanceof ThreadFunction) {
        if (frame.type === FrameType.call) this.#threads.run(frame, this.#large)
        else this.#threads.flow(frame)
      } else if (frame.type === FrameType.call) this.#loop.run(call.fn, frame, call)
      else this.#loop.flow(frame)
    }
  }

  /** It has its place until its function is done (OC2). */
  leave(call: OwnCall): void {
    call.isAwaited = false
    call.connection.forget(call)
    this.#deadlines.remove(call)
  }

  cancel(id: number): void {
    this.#loop.cancel(id)
    this.#threads.cancel(id)
    this.#large.cancel(id)
  }

  #due(call: OwnCall): void {
    const { callerId, serial, fn, connection } = call
    const { env, ownBootId } = this.#facts
    const message = `${env}/${fn.name}: the deadline passed while the call was running`
    const callId = callIdOf(ownBootId, serial)
    const about = { env, function: fn.name, callId, version: fn.version }
    const error = new BunhouseError("DEADLINE_EXCEEDED", message, about)
    this.leave(call)
    this.cancel(call.id)
    const writer = new FrameWriter()
    writer.write(FrameType.error, 0, callerId, 0, 0, serial, encodeErrorRecord(error))
    connection.message(writer.take(), ownBootId)
  }

  /** What functions and streams have said, in the words of their connections. */
  #answer(batch: Uint8Array): void {
    const frame = new FrameReader()
    const count = frame.open(batch, batch.length)
    const heard = new Map<OwnConnection, Range[]>()
    while (frame.next()) {
      const { id, type, target, timeoutMs } = frame
      const call = this.#calls.get(id)
      if (call === undefined) continue
      if (call.isAwaited) {
        const frames = heard.get(call.connection) ?? []
        if (frames.push([frame.start, frame.end]) === 1) heard.set(call.connection, frames)
        const serial = type === FrameType.credit ? frame.serial : call.serial
        frame.rename(call.callerId, target, timeoutMs, serial)
      }
      if (type === FrameType.reply || type === FrameType.error) this.#ended(call)
    }
    for (const [connection, frames] of heard) {
      const answer = joined(batch, count, frames)
      if (answer !== undefined) connection.message(answer, this.#facts.ownBootId)
    }
  }

  /** OC2. */
  #ended(call: OwnCall): void {
    if (call.isAwaited) this.leave(call)
    this.#calls.close(call.id)
    this.#bytes -= call.bytes
    if (call.fn instanceof ThreadFunction) this.#onThreads--
    this.#served.count(this.#calls.size, this.#onThreads)
    if (!(call.fn instanceof ThreadFunction) || !this.#served.takeThreadsWanted()) return
    this.#reports.open(0).write(FrameType.report, 0, CONNECTION_ID, ReportKind.threadFree, 0, 0)
  }
}

export interface OwnCallsParts {
  readonly facts: CallFacts
  /** To the daemon. */
  readonly reports: ReplySink
  /** Of the loop: functions know by it which call they run for. */
  readonly storage: AsyncLocalStorage<RunningCall>
  readonly watch?: LoopWatch | undefined
  readonly served: Served
  /** Undefined where there is none that such calls may reach. */
  readonly functionAt: (index: number) => OwnFunction | undefined
  readonly threads: Threads
}

/** The threads of this process (threads/pool.ts). */
interface Threads {
  /** Calls of the daemon's that they have. */
  readonly calls: number
  run(frame: FrameReader, sink: ThreadSink): void
  flow(frame: FrameReader): void
  cancel(id: number): void
}

/** What such calls are not made for: arguments that are not there yet. */
const ELSEWHERE = FrameFlag.parts | FrameFlag.later

const NONE_UNREADY = new UnreadyCalls(
  () => {},
  () => {},
)
