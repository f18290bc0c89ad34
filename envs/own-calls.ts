import type { AsyncLocalStorage } from "node:async_hooks"
import type { ChannelHandlers } from "../client/connection/transport.ts"
import { Deadlines, type Timed } from "../protocol/deadlines.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { readExtra } from "../protocol/extra.ts"
import { Fields, parseJson } from "../protocol/fields.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../protocol/frame.ts"
import { BODY_BYTES_MAX, NESTING_MAX, OWN_CALLS_MAX } from "../protocol/limits.ts"
import { Outbox } from "../protocol/outbox.ts"
import { PARTS_STREAM } from "../protocol/parts/part.ts"
import type { CallFacts, RunningCall } from "./call-context.ts"
import { LargePayloads } from "./large-payloads.ts"
import { Loop } from "./loop.ts"
import { type LoadedFunction, replyFailure } from "./run-call.ts"
import { UnreadyCalls } from "./unready-calls.ts"

/**
 * Calls that functions on the loop make to functions on the same loop: they are the same frames, but stay in the process.
 * What is no such call goes on to the daemon, as does one for which there is no place, so that nothing is queued here.
 *
 * Invariants:
 * OC1. A call runs the version that the daemon serves: it says so whenever that changes, ahead of any call that could know
 *      of it. Of a function that it does not serve, nothing runs here.
 * OC2. A call is answered once, by its function or by its deadline; its place is free when its function is done.
 * OC3. Arguments and results are copies, as those of any call.
 */
export class OwnCalls {
  readonly #facts: CallFacts
  readonly #functionAt: (index: number) => LoadedFunction | undefined
  /** Numbers of functions, by name. */
  readonly #served = new Map<string, number>()
  readonly #loop: Loop
  readonly #outbox: Outbox
  readonly #large: LargePayloads
  readonly #calls = new Map<number, OwnCall>()
  readonly #deadlines = new Deadlines<OwnCall>((call) => this.#due(call))
  readonly #frame = new FrameReader()
  readonly #replies = new FrameReader()
  /** Of this env, by the number under which the connection knows them. */
  #names = new Map<number, string>()
  #handlers: Pick<ChannelHandlers, "message"> | undefined
  #serial = FIRST_SERIAL + Math.floor(Math.random() * FIRST_SERIAL)

  constructor({ facts, storage, functionAt }: OwnCallsParts) {
    this.#facts = facts
    this.#functionAt = functionAt
    this.#outbox = new Outbox({
      send: (batch) => this.#answer(batch),
      messageBytesMax: BODY_BYTES_MAX,
      flushAfter: "microtasks",
    })
    this.#large = new LargePayloads({
      outbox: this.#outbox,
      unready: new UnreadyCalls(
        () => {},
        () => {},
      ),
      bytesMax: facts.payloadBytesMax,
    })
    this.#loop = new Loop(facts, this.#large, { storage, isOwn: true })
  }

  /** The daemon serves the function by this number now, or, without one, not from this process. */
  serve(name: string, index: number | undefined): void {
    if (index === undefined) this.#served.delete(name)
    else this.#served.set(name, index)
  }

  /** Another process serves the env from here on. */
  retire(): void {
    this.#served.clear()
  }

  /** A connection begins, to which answers go. */
  open(handlers: Pick<ChannelHandlers, "message">): void {
    this.#handlers = handlers
  }

  /** The connection has ended: nobody waits any more. */
  close(): void {
    this.#handlers = undefined
    this.#names = new Map()
    for (const call of this.#calls.values()) this.#deadlines.remove(call)
    this.#loop.cancelAll()
    this.#large.dropAll()
    this.#calls.clear()
  }

  /** What functions print during such a call. */
  log(id: number, lines: number, dropped: number, payload: string): void {
    this.#outbox.openText(payload).writeText(FrameType.log, id, lines, dropped, 0, payload)
  }

  /** Takes what can be done here out of a batch. Returns what is left for the daemon. */
  take(batch: Uint8Array): Uint8Array | undefined {
    const frame = this.#frame
    const count = frame.open(batch)
    const others: [from: number, to: number][] = []
    while (frame.next()) if (!this.#takes(frame)) others.push([frame.start, frame.end])
    if (others.length === count) return batch
    if (others.length === 0) return undefined
    const writer = new FrameWriter()
    for (const [from, to] of others) writer.append(batch.subarray(from, to))
    return writer.take()
  }

  #takes(frame: FrameReader): boolean {
    const { type, id } = frame
    if (type === FrameType.bind) return this.#bind(frame)
    if (type === FrameType.call) return this.#call(frame)
    if (!this.#calls.has(id)) return false
    if (type === FrameType.cancel) this.#cancel(id)
    else if (type === FrameType.credit && frame.serial === PARTS_STREAM) {
      this.#large.credit(id, frame.timeoutMs)
    } else this.#loop.flow(frame)
    return true
  }

  /** The daemon hears of it as well: what cannot be done here is done there. */
  #bind({ target, payload }: FrameReader): false {
    const what = "the names of a target"
    const fields = new Fields(what, parseJson(what, Buffer.from(payload).toString()))
    if (fields.text("env") === this.#facts.env) this.#names.set(target, fields.text("function"))
    else this.#names.delete(target)
    return false
  }

  #call(frame: FrameReader): boolean {
    const name = this.#names.get(frame.target)
    const index = name === undefined ? undefined : this.#served.get(name)
    const fn = index === undefined ? undefined : this.#functionAt(index) // OC1
    if (fn === undefined || frame.flags & ELSEWHERE || this.#calls.size >= OWN_CALLS_MAX)
      return false
    const { key, depth = 0 } = readExtra(frame.extra)
    // Who asks twice is told by the daemon, and so is a chain without an end.
    if (key !== undefined || depth > NESTING_MAX) return false
    const { id, timeoutMs } = frame
    const serial = (this.#serial = (this.#serial + 1) >>> 0)
    const call = new OwnCall(id, serial, `${this.#facts.env}/${fn.name}`)
    this.#calls.set(id, call)
    this.#deadlines.add(call, timeoutMs)
    frame.serial = serial
    this.#loop.run(fn, frame)
    return true
  }

  /** Its caller has settled its side; the function hears of it. */
  #cancel(id: number): void {
    this.#loop.cancel(id)
    this.#large.cancel(id)
  }

  #due(call: OwnCall): void {
    const { id, serial, address } = call
    const message = `${address}: the deadline passed while the call was running`
    const [env, fn] = [this.#facts.env, address.slice(this.#facts.env.length + 1)]
    const error = new BunhouseError("DEADLINE_EXCEEDED", message, { env, function: fn })
    this.#cancel(id)
    const writer = new FrameWriter()
    replyFailure({ open: () => writer }, id, error)
    this.#tell(writer.take(), serial)
  }

  /** What functions and streams have said. */
  #answer(batch: Uint8Array): void {
    const frame = this.#replies
    frame.open(batch, batch.length)
    while (frame.next()) {
      const call = this.#calls.get(frame.id)
      const isEnd = frame.type === FrameType.reply || frame.type === FrameType.error
      if (call === undefined || !isEnd) continue
      this.#calls.delete(frame.id) // OC2
      this.#deadlines.remove(call)
      frame.rename(frame.id, 0, 0, call.serial)
    }
    this.#handlers?.message(Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength))
  }

  #tell(batch: Buffer, serial: number): void {
    const frame = new FrameReader()
    frame.open(batch)
    frame.next()
    frame.rename(frame.id, 0, 0, serial)
    this.#handlers?.message(batch)
  }
}

export interface OwnCallsParts {
  readonly facts: CallFacts
  /** Of the loop: functions know by it which call they run for. */
  readonly storage: AsyncLocalStorage<RunningCall>
  /** Undefined where there is none that runs on the loop. */
  readonly functionAt: (index: number) => LoadedFunction | undefined
}

class OwnCall implements Timed<OwnCall> {
  readonly id: number
  readonly serial: number
  readonly address: string
  dueAt = Number.POSITIVE_INFINITY
  timedList: Timed<OwnCall>["timedList"] = undefined
  timedNext: OwnCall | undefined = undefined
  timedPrevious: OwnCall | undefined = undefined

  constructor(id: number, serial: number, address: string) {
    this.id = id
    this.serial = serial
    this.address = address
  }
}

/** What such calls are not made for: arguments that are not there yet. */
const ELSEWHERE = FrameFlag.parts | FrameFlag.later
/** The daemon's own numbers begin at 1. */
const FIRST_SERIAL = 2 ** 31
