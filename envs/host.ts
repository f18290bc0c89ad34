import { AsyncLocalStorage } from "node:async_hooks"
import type { BrokerConnection } from "../broker/connection.ts"
import {
  type ControlReply,
  type EnvBootstrap,
  type EnvHello,
  readControlRequest,
} from "../protocol/env-control.ts"
import { asBunhouseError, BunhouseError, toErrorRecord } from "../protocol/errors.ts"
import { parseJson } from "../protocol/fields.ts"
import { FrameFlag, FrameReader, FrameType } from "../protocol/frame.ts"
import { THREAD_IDLE_MS } from "../protocol/limits.ts"
import { rotateLog } from "../protocol/log-rotation.ts"
import { Outbox } from "../protocol/outbox.ts"
import { PARTS_STREAM } from "../protocol/parts/part.ts"
import { PROTOCOL_VERSION } from "../protocol/version.ts"
import { LargePayloads } from "./large-payloads.ts"
import type { RunningCall } from "./call-context.ts"
import { DaemonTransport } from "./daemon-transport.ts"
import { Functions } from "./functions.ts"
import { InstanceThread } from "./instances/instance-thread.ts"
import { InstanceThreads } from "./instances/instance-threads.ts"
import { LaterArguments } from "./later-arguments.ts"
import { Loop } from "./loop.ts"
import { logLine } from "./output/log-line.ts"
import { LogWriter, STDERR } from "./output/log-writer.ts"
import { OutputLog } from "./output/output-log.ts"
import { ThreadFunction } from "./own-call.ts"
import { OwnCalls } from "./own-calls.ts"
import { replyFailure } from "./run-call.ts"
import { Served } from "./served.ts"
import { ForcedEnds } from "./threads/forced-ends.ts"
import type { Dial } from "./threads/nested-port.ts"
import { ThreadPool } from "./threads/pool.ts"
import { UnreadyCalls } from "./unready-calls.ts"
import { LoopWatch } from "./watchdog/loop-watch.ts"

/**
 * What an env process does with what the daemon sends: loads code, hands calls to the loop or to a thread, and sends
 * the replies of one tick back together.
 *
 * Invariants:
 * Q1. Every call frame is answered with exactly one frame of its id.
 * Q2. When the broker is lost, what runs is cancelled: the daemon has told the callers already, and counts their places
 *     as free. Calls of an instance with a thread of its own go on: cancelling would cost its state, and what comes next
 *     waits for them.
 */
export class Host {
  readonly loop: Loop
  /** Takes what functions on the loop print. */
  readonly output: OutputLog
  /** For calls that functions make. */
  readonly transport: DaemonTransport
  readonly #bootstrap: EnvBootstrap
  readonly #connection: BrokerConnection
  readonly #threads: ThreadPool
  readonly #instances: InstanceThreads
  readonly #outbox: Outbox
  readonly #large: LargePayloads
  readonly #later: LaterArguments
  readonly #own: OwnCalls
  readonly #served: Served
  readonly #unready = new UnreadyCalls(
    (call) => this.#call(call),
    (credit) => this.#flow(credit),
  )
  readonly #frame = new FrameReader()
  readonly #functions: Functions
  #connections = 1

  constructor(bootstrap: EnvBootstrap, connection: BrokerConnection) {
    this.#bootstrap = bootstrap
    this.#connection = connection
    this.#outbox = new Outbox({
      send: (batch) => this.#send(batch),
      messageBytesMax: connection.maxMessageBytes,
      flushAfter: "microtasks",
    })
    const { env, bootId, token, payloadBytesMax } = bootstrap
    const ownBootId = `${bootId}.${bootstrap.incarnation}`
    const facts = { env, bootId, ownBootId, token, payloadBytesMax }
    const large = new LargePayloads({
      outbox: this.#outbox,
      unready: this.#unready,
      bytesMax: payloadBytesMax,
    })
    this.#large = large
    this.#later = new LaterArguments(facts, this.#outbox, this.#unready)
    const { loopBlockMs } = bootstrap
    const watch = loopBlockMs > 0 ? new LoopWatch(loopBlockMs, this.#outbox) : undefined
    const storage = new AsyncLocalStorage<RunningCall>()
    this.loop = new Loop(facts, large, { watch, storage })
    const forced = new ForcedEnds(this.#outbox)
    const dial: Dial = (handlers) => this.transport.dial(handlers)
    this.#instances = new InstanceThreads({ facts, sink: large, forced, dial })
    this.#threads = new ThreadPool({
      facts,
      forced,
      dial,
      sink: large,
      threadsMax: bootstrap.threadsMax,
      idleMs: THREAD_IDLE_MS,
      kept: navigator.hardwareConcurrency,
    })
    const functions = new Functions(this.#threads, this.#instances)
    this.#functions = functions
    this.#served = new Served(bootstrap.served)
    this.#own = new OwnCalls({
      facts,
      reports: this.#outbox,
      storage,
      watch,
      served: this.#served,
      functionAt: (index) => functions.ownAt(index),
      threads: this.#threads,
    })
    this.transport = new DaemonTransport(connection, bootstrap.subjects, this.#own)
    const log = new LogWriter(() => rotateLog(STDERR, bootstrap.logFile))
    this.output = new OutputLog({
      current: () => this.loop.current(),
      write: (call, stream, timeMs, json) => log.write(logLine(call, stream, timeMs, json), timeMs),
      send: ({ id, isOwn }, lines, dropped, payload) => {
        if (isOwn) this.#own.log(id, lines, dropped, payload)
        else this.#outbox.openText(payload).writeText(FrameType.log, id, lines, dropped, 0, payload)
        return true
      },
    })
  }

  /** Subscribes, and says hello once the broker has the subscriptions. */
  async start(): Promise<void> {
    const connection = this.#connection
    const { subjects } = this.#bootstrap
    connection.subscribe(subjects.calls, (bytes) => this.#receive(bytes))
    connection.subscribe(subjects.control, (bytes, { reply }) => void this.#control(bytes, reply))
    connection.onDisconnect(() => {
      this.loop.cancelAll()
      this.#threads.cancelAll()
      this.#large.dropAll()
      this.#later.dropAll()
      this.#unready.clear()
    })
    connection.onReconnect(() => {
      this.#connections++
      this.#sayHello()
    })
    await connection.flush()
    this.#sayHello()
  }

  /** In a message of its own; the subscriptions are on their way ahead of it. */
  #sayHello(): void {
    const { incarnation } = this.#bootstrap
    const connections = this.#connections
    const hello: EnvHello = {
      protocol: PROTOCOL_VERSION,
      incarnation,
      pid: process.pid,
      connections,
    }
    const payload = Buffer.from(JSON.stringify(hello))
    this.#outbox.flush()
    this.#outbox.open(payload.length).write(FrameType.hello, 0, 0, 0, 0, 0, payload)
    this.#outbox.flush()
  }

  #receive(bytes: Uint8Array): void {
    const frame = this.#frame
    frame.open(bytes)
    while (frame.next()) {
      if (frame.type === FrameType.call) this.#call(frame)
      else if (frame.type === FrameType.cancel) this.#cancel(frame.id)
      else if (frame.type === FrameType.ready) this.#later.run(frame)
      else this.#flow(frame)
    }
  }

  #call(frame: FrameReader): void {
    if (frame.flags & FrameFlag.parts) return this.#large.begin(frame)
    if (frame.flags & FrameFlag.later) return this.#later.begin(frame)
    const fn = this.#functions.get(frame.target)
    if (fn instanceof ThreadFunction) this.#threads.run(frame)
    else if (fn instanceof InstanceThread) fn.run(frame)
    else if (fn !== undefined) this.loop.run(fn, frame)
    else {
      const message = `the function number ${frame.target} is not loaded in this env process`
      replyFailure(this.#outbox, frame.id, new BunhouseError("INTERNAL", message, { ran: "no" }))
    }
  }

  #cancel(id: number): void {
    this.loop.cancel(id)
    this.#threads.cancel(id)
    this.#instances.cancel(id)
    this.#large.cancel(id)
    this.#later.cancel(id)
  }

  #flow(frame: FrameReader): void {
    if (frame.type === FrameType.part) return this.#large.part(frame)
    if (frame.type === FrameType.credit && frame.serial === PARTS_STREAM) {
      return this.#large.credit(frame.id, frame.timeoutMs)
    }
    if (this.#unready.holds(frame)) return
    this.loop.flow(frame)
    this.#threads.flow(frame)
  }

  async #control(bytes: Uint8Array, reply: string | undefined): Promise<void> {
    const answer = await this.#answer(Buffer.from(bytes).toString())
    if (reply !== undefined && this.#connection.isConnected) {
      this.#connection.publish(reply, Buffer.from(JSON.stringify(answer)))
    }
  }

  async #answer(text: string): Promise<ControlReply> {
    try {
      const request = readControlRequest(parseJson("a control request", text))
      switch (request.op) {
        case "greet":
          this.transport.reset("the daemon was cut off from the broker")
          this.#sayHello()
          return { ok: true }
        case "ping":
          return { ok: true }
        case "serve":
          this.#served.heard(request)
          return { ok: true }
        case "unload":
          this.#functions.unload(request.index)
          return { ok: true }
        case "load":
          return { ok: true, value: await this.#functions.load(request) }
        default:
          return request satisfies never
      }
    } catch (error) {
      return { ok: false, error: toErrorRecord(asBunhouseError(error, "loading a function")) }
    }
  }

  #send(batch: Uint8Array): void {
    // While the broker is away nobody waits for replies any more: the daemon has settled these calls.
    if (!this.#connection.isConnected) return
    try {
      this.#connection.publish(this.#bootstrap.subjects.replies, batch)
    } catch (error) {
      // Told later: who writes to the outbox is in the middle of it.
      setImmediate(() => this.#unsent(batch, asBunhouseError(error, "sending replies")))
    }
  }

  /** An outside broker may take less than a result may hold (Q1). */
  #unsent(batch: Uint8Array, { code, message }: BunhouseError): void {
    if (code !== "PAYLOAD_TOO_LARGE") return
    const frame = new FrameReader()
    frame.open(batch)
    while (frame.next()) {
      // Its call goes on.
      if (frame.type === FrameType.log) continue
      replyFailure(this.#outbox, frame.id, new BunhouseError(code, message, { ran: "yes" }))
      if (STREAMED.has(frame.type)) this.#cancel(frame.id)
    }
  }
}

/** What is said of a call that is not answered yet. */
const STREAMED: ReadonlySet<number> = new Set([FrameType.items, FrameType.part])
