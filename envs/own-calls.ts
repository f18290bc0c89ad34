import type { AsyncLocalStorage } from "node:async_hooks"
import type { ChannelHandlers } from "../client/connection/transport.ts"
import { Deadlines } from "../protocol/deadlines.ts"
import { BunhouseError, encodeErrorRecord } from "../protocol/errors.ts"
import { readExtra } from "../protocol/extra.ts"
import { Fields, parseJson } from "../protocol/fields.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../protocol/frame.ts"
import { callIdOf } from "../protocol/hello.ts"
import {
  BODY_BYTES_MAX,
  NESTING_MAX,
  OWN_CALLS_BYTES_MAX,
  OWN_CALLS_MAX,
} from "../protocol/limits.ts"
import { Outbox } from "../protocol/outbox.ts"
import { PARTS_STREAM } from "../protocol/parts/part.ts"
import { slotOf, SlotTable } from "../protocol/slots.ts"
import type { CallFacts, RunningCall } from "./call-context.ts"
import { LargePayloads } from "./large-payloads.ts"
import { Loop } from "./loop.ts"
import { OwnCall } from "./own-call.ts"
import type { LoadedFunction } from "./run-call.ts"
import type { Served } from "./served.ts"
import { UnreadyCalls } from "./unready-calls.ts"
import type { LoopWatch } from "./watchdog/loop-watch.ts"

/**
 * Calls that functions on the loop make to functions on the same loop: they are the same frames, but stay in the process.
 * What is no such call goes on to the daemon, as does one for which there is no place, so that nothing is queued here.
 *
 * Invariants:
 * OC1. A call runs the version that the daemon would have it run at that time, and none that the daemon does not serve
 *      (SV1, SV3).
 * OC2. A call is answered once: by its function, by its deadline, or not at all when its caller gave it up. Its place is
 *      free when its function is done, and until then its id is given to no other.
 * OC3. Arguments and results are copies, as those of any call.
 * OC4. No function runs while another one is in the middle of making a call: a full outbox is sent in the middle of that.
 * OC5. A call takes a turn of the event loop at least, so that whoever makes one after another lets others have theirs.
 */
export class OwnCalls {
  readonly #env: string
  /** In place of the daemon's boot id in the ids of these calls. */
  readonly #bootId: string
  readonly #served: Served
  readonly #functionAt: (index: number) => LoadedFunction | undefined
  readonly #loop: Loop
  readonly #outbox: Outbox
  readonly #large: LargePayloads
  readonly #calls = new SlotTable<OwnCall>()
  readonly #deadlines = new Deadlines<OwnCall>((call) => this.#due(call))
  /** Those that somebody waits for, by the slot of the connection's id. */
  #awaited: (OwnCall | undefined)[] = []
  /** Batches that functions have sent and that are yet to be looked at (OC4). */
  #sent: Uint8Array[] = []
  readonly #frame = new FrameReader()
  /** Names of functions of this env, by the number under which the connection knows them. */
  #names = new Map<number, string>()
  #handlers: Pick<ChannelHandlers, "message"> | undefined
  #serial = 0
  /** Of the arguments of all of them. */
  #bytes = 0

  constructor({ facts, incarnation, storage, watch, served, functionAt }: OwnCallsParts) {
    this.#env = facts.env
    this.#bootId = `${facts.bootId}.${incarnation}`
    this.#served = served
    this.#functionAt = functionAt
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
    const ownFacts = { ...facts, bootId: this.#bootId }
    this.#loop = new Loop(ownFacts, this.#large, { storage, watch, isOwn: true })
  }

  /** A connection begins, to which answers go. */
  open(handlers: Pick<ChannelHandlers, "message">): void {
    this.#handlers = handlers
  }

  /** The connection has ended: nobody waits any more. */
  close(): void {
    this.#handlers = undefined
    this.#names = new Map()
    for (const call of this.#calls) {
      if (call.isAwaited) this.#leave(call)
      this.#cancel(call.id)
    }
    this.#awaited = []
  }

  /** What functions print during such a call. */
  log(id: number, lines: number, dropped: number, payload: string): void {
    this.#outbox.openText(payload).writeText(FrameType.log, id, lines, dropped, 0, payload)
  }

  /** Takes what can be done here out of a batch. Returns what is left for the daemon. */
  take(batch: Uint8Array): Uint8Array | undefined {
    const frame = this.#frame
    const count = frame.open(batch)
    const own: [from: number, to: number][] = []
    const others: [from: number, to: number][] = []
    while (frame.next()) (this.#takes(frame) ? own : others).push([frame.start, frame.end])
    const taken = joined(batch, count, own)
    if (taken !== undefined && this.#sent.push(taken) === 1) queueMicrotask(this.#look)
    return joined(batch, count, others)
  }

  /** Whether the frame is one for here; then it has the call's own id from here on. */
  #takes(frame: FrameReader): boolean {
    const { type, target, timeoutMs, serial } = frame
    if (type === FrameType.bind) return this.#bind(frame)
    if (type === FrameType.call) return this.#call(frame)
    const call = this.#awaited[slotOf(frame.id)]
    if (call?.callerId !== frame.id) return false
    if (type === FrameType.cancel) this.#leave(call)
    frame.rename(call.id, target, timeoutMs, serial)
    return true
  }

  /** The daemon hears of it as well: what cannot be done here is done there. */
  #bind({ target, payload }: FrameReader): false {
    const what = "the names of a target"
    const fields = new Fields(what, parseJson(what, Buffer.from(payload).toString()))
    if (fields.text("env") === this.#env) this.#names.set(target, fields.text("function"))
    else this.#names.delete(target)
    return false
  }

  #call(frame: FrameReader): boolean {
    const { flags, target, timeoutMs } = frame
    const name = this.#names.get(target)
    const index = name === undefined ? undefined : this.#served.indexOf(name) // OC1
    const fn = index === undefined ? undefined : this.#functionAt(index)
    if (index === undefined || fn === undefined || flags & ELSEWHERE || !this.#hasPlace)
      return false
    const { key, depth = 0 } = frame.hasExtra ? readExtra(frame.extra) : {}
    // Who asks twice is told by the daemon, and so is a chain without an end.
    if (key !== undefined || depth > NESTING_MAX) return false
    const serial = (this.#serial = (this.#serial + 1) >>> 0)
    const call = new OwnCall(frame, serial, fn)
    call.id = this.#calls.open(call)
    this.#awaited[slotOf(frame.id)] = call
    this.#bytes += call.bytes
    this.#served.count(this.#calls.size)
    this.#deadlines.add(call, timeoutMs)
    frame.rename(call.id, index, timeoutMs, serial)
    return true
  }

  /** The call that reaches the limit of bytes still has a place, so that the largest one can have one. */
  get #hasPlace(): boolean {
    return this.#calls.size < OWN_CALLS_MAX && this.#bytes < OWN_CALLS_BYTES_MAX
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
      if (frame.type === FrameType.call) this.#loop.run(call.fn, frame, call.around)
      else if (frame.type === FrameType.cancel) this.#cancel(frame.id)
      else if (frame.type === FrameType.credit && frame.serial === PARTS_STREAM) {
        this.#large.credit(frame.id, frame.timeoutMs)
      } else this.#loop.flow(frame)
    }
  }

  /** Nobody waits for the call any more; it has its place until its function is done (OC2). */
  #leave(call: OwnCall): void {
    call.isAwaited = false
    this.#awaited[slotOf(call.callerId)] = undefined
    this.#deadlines.remove(call)
  }

  #cancel(id: number): void {
    this.#loop.cancel(id)
    this.#large.cancel(id)
  }

  #due(call: OwnCall): void {
    const { callerId, serial, fn } = call
    const names = { env: this.#env, function: fn.name }
    const message = `${this.#env}/${fn.name}: the deadline passed while the call was running`
    const callId = callIdOf(this.#bootId, serial)
    const about = { ...names, callId, version: fn.version }
    const error = new BunhouseError("DEADLINE_EXCEEDED", message, about)
    this.#leave(call)
    this.#cancel(call.id)
    const writer = new FrameWriter()
    writer.write(FrameType.error, 0, callerId, 0, 0, serial, encodeErrorRecord(error))
    this.#handlers?.message(writer.take(), this.#bootId)
  }

  /** What functions and streams have said, in the words of the connection. */
  #answer(batch: Uint8Array): void {
    const frame = new FrameReader()
    const count = frame.open(batch, batch.length)
    const heard: [from: number, to: number][] = []
    while (frame.next()) {
      const { id, type, target, timeoutMs } = frame
      const call = this.#calls.get(id)
      if (call === undefined) continue
      if (call.isAwaited) {
        heard.push([frame.start, frame.end])
        const serial = type === FrameType.credit ? frame.serial : call.serial
        frame.rename(call.callerId, target, timeoutMs, serial)
      }
      if (type === FrameType.reply || type === FrameType.error) this.#ended(call)
    }
    const answer = joined(batch, count, heard)
    if (answer === undefined) return
    this.#handlers?.message(
      Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength),
      this.#bootId,
    )
  }

  /** OC2. */
  #ended(call: OwnCall): void {
    if (call.isAwaited) this.#leave(call)
    this.#calls.close(call.id)
    this.#bytes -= call.bytes
    this.#served.count(this.#calls.size)
  }
}

export interface OwnCallsParts {
  readonly facts: CallFacts
  readonly incarnation: string
  /** Of the loop: functions know by it which call they run for. */
  readonly storage: AsyncLocalStorage<RunningCall>
  readonly watch?: LoopWatch | undefined
  readonly served: Served
  /** Undefined where there is none that runs on the loop. */
  readonly functionAt: (index: number) => LoadedFunction | undefined
}

/** A batch of some of the `count` frames of `batch`. */
function joined(
  batch: Uint8Array,
  count: number,
  frames: readonly (readonly [from: number, to: number])[],
): Uint8Array | undefined {
  if (frames.length === count) return batch
  if (frames.length === 0) return undefined
  const writer = new FrameWriter()
  for (const [from, to] of frames) writer.append(batch.subarray(from, to))
  return writer.take()
}

/** What such calls are not made for: arguments that are not there yet. */
const ELSEWHERE = FrameFlag.parts | FrameFlag.later

const NONE_UNREADY = new UnreadyCalls(
  () => {},
  () => {},
)
