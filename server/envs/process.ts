import {
  type GreetRequest,
  type LoadRequest,
  readControlReply,
  readEnvHello,
  WATCH_FD,
} from "../../protocol/env-control.ts"
import { asBunhouseError, BunhouseError } from "../../protocol/errors.ts"
import { parseJson } from "../../protocol/fields.ts"
import { CONNECTION_ID, FrameReader, FrameType, ReportKind } from "../../protocol/frame.ts"
import { DEADLINE_GRACE_MS, LOOP_BLOCKED_TELL_MS } from "../../protocol/limits.ts"
import { Outbox } from "../../protocol/outbox.ts"
import { envSubjects, type EnvSubjects } from "../../protocol/subjects.ts"
import { PROTOCOL_VERSION } from "../../protocol/version.ts"
import type { Unlisten } from "../../broker/connection.ts"
import type { Report } from "../calls/report.ts"
import { ControlLine } from "./control-line.ts"
import { firstHello } from "./first-hello.ts"
import { killGroup } from "./kill-group.ts"
import { bootstrapOf, type EnvProcessOptions } from "./process-options.ts"
import { Served } from "./served.ts"
import { spawnEnvProcess } from "./spawn.ts"
import type { EnvExit, EnvLife } from "./life.ts"
import { MemoryWatch, residentBytes } from "./memory.ts"
import { StuckWatch } from "./stuck-watch.ts"
import { readWatchLines } from "./watch-lines.ts"

/**
 * One life (incarnation) of one env process: its start, its hello, its subjects, its end.
 * It owns the operating system's process, its process group and the subscription for its replies. It does not decide
 * whether another life follows; env.ts does.
 *
 * Invariants:
 * V1. `exited` settles once the process is gone, however it went; nothing of its process group is left then.
 * V2. The process dies with the daemon, even when the daemon is killed: it is started with --no-orphans, and its
 *     stdin ends with the daemon.
 * V3. No secret of the daemon is in its arguments or its environment. Those of its spec are in its environment only.
 * V4. Nothing is sent to a process that cannot be reached: from the loss of the broker on, until it says hello again.
 *     Each side finds its own way back to the broker, and what is published before both are there reaches nobody.
 */
export class EnvProcess implements EnvLife {
  readonly incarnation: string
  readonly outbox: Outbox
  readonly startedAt = new Date()
  readonly pid: number
  readonly threadsMax: number
  readonly folder: string
  readonly cwd: string
  awaited = 0
  readonly exited: Promise<EnvExit>
  readonly ready: Promise<void>
  readonly #options: EnvProcessOptions
  readonly #child: Bun.Subprocess<"pipe", number, number>
  readonly served: Served
  readonly #control: ControlLine
  readonly #unlisten: readonly Unlisten[]
  readonly #hello = Promise.withResolvers<void>()
  readonly #frame = new FrameReader()
  readonly #memory: MemoryWatch
  readonly #stuck: StuckWatch
  /** Why the daemon ended it, where that says more than the signal. */
  #endedFor: string | undefined
  #isForced = false
  /** Requests to load code that are not answered. */
  #loading = 0
  /** Connections that the last hello told of; 0 before the first one. */
  #connections = 0
  #isReachable = false

  constructor(options: EnvProcessOptions) {
    this.#options = options
    this.incarnation = options.incarnation
    this.threadsMax = options.threadsMax
    this.folder = options.folder
    this.cwd = options.cwd
    const subjects = envSubjects(options.space, options.env, options.incarnation)
    const { connection } = options
    this.#control = new ControlLine(connection, subjects.control, () => this.isReachable)
    this.outbox = new Outbox({
      send: (batch) => this.#publish(subjects.calls, batch),
      messageBytesMax: connection.maxMessageBytes,
      flushAfter: "turn",
    })
    this.#unlisten = this.#listen(subjects)
    this.served = new Served(options.folder, options.incarnation, (word) => this.#control.say(word))
    try {
      this.#child = spawnEnvProcess(options)
    } catch (error) {
      this.served.removeFile()
      for (const unlisten of this.#unlisten) unlisten()
      throw error
    }
    this.pid = this.#child.pid
    this.#memory = new MemoryWatch(this.pid, (how) => {
      this.#endedFor ??= how
      this.kill()
    })
    this.#memory.limit(options.memoryMiB)
    this.#stuck = new StuckWatch({
      ask: (patienceMs) => this.#ping(patienceMs),
      end: (reason) => this.#endStuck(reason),
      present: () => ({ awaited: this.awaited, isLoading: this.#loading > 0 }),
    })
    this.#readWatchdog()
    this.exited = this.#watch()
    this.ready = firstHello(options.env, this.#hello.promise, this.exited)
    // Whoever needs `ready` awaits it; that nobody does is no unhandled rejection.
    this.ready.catch(() => {})
    const bootstrap = bootstrapOf(options, subjects, this.served.path)
    void this.#child.stdin.write(`${JSON.stringify(bootstrap)}\n`)
    void this.#child.stdin.flush()
  }

  get isReachable(): boolean {
    return this.#isReachable && this.#options.connection.isConnected
  }

  get rssBytes(): number | undefined {
    return residentBytes(this.pid)
  }

  limitMemory(memoryMiB: number | undefined): void {
    this.#memory.limit(memoryMiB)
  }

  async load(request: LoadRequest): Promise<unknown> {
    const lost = this.exited.then(({ how }): never => {
      throw new BunhouseError(
        "DEPLOY_FAILED",
        `the env process ended while it loaded code (${how})`,
      )
    })
    const patienceMs = request.timeoutMs + DEADLINE_GRACE_MS
    const answered = this.#control.ask(request, patienceMs)
    this.#loading++
    try {
      const answer = await Promise.race([answered.catch(this.#loadError(request)), lost])
      return readControlReply(parseJson("a control reply", Buffer.from(answer).toString()))
    } finally {
      this.#loading--
    }
  }

  unload(index: number): void {
    this.#control.say({ op: "unload", index })
  }

  abandoned(): void {
    this.#stuck.look()
  }

  reported(report: Report): void {
    const { kind, amount, call } = report
    if (kind !== ReportKind.threadStuck) return this.#options.onReport(this, report, true)
    const who = call === undefined ? "a function" : call.route.address
    const what = `${who} did not end within ${amount} ms of being stopped, in native code`
    this.#endStuck(`${what}, so the process was ended`)
  }

  async stop(graceMs: number): Promise<void> {
    this.served.end()
    this.#child.kill("SIGTERM")
    const killer = setTimeout(() => this.kill(), graceMs)
    await this.exited
    clearTimeout(killer)
  }

  kill(): void {
    // What is sent from here on is for the next process.
    this.#isReachable = false
    this.served.end()
    killGroup(this.pid)
  }

  #listen({ replies, control }: EnvSubjects): readonly Unlisten[] {
    const { connection } = this.#options
    const subscription = connection.subscribe(replies, (bytes) => this.#receive(bytes))
    const greet: GreetRequest = { op: "greet" }
    const greeting = Buffer.from(JSON.stringify(greet))
    return [
      () => subscription.unsubscribe(),
      connection.onDisconnect(() => {
        this.#isReachable = false
        this.served.lost()
      }),
      // A process that came back first has said hello to nobody; one that comes back later does so by itself.
      connection.onReconnect(() => connection.publish(control, greeting)),
    ]
  }

  #receive(bytes: Uint8Array): void {
    const frame = this.#frame
    frame.open(bytes)
    if (!frame.next()) return
    this.#stuck.heard()
    if (frame.type === FrameType.hello) this.#greeted(frame)
    else if (this.#connections > 0) this.#options.onReplies(this, frame)
  }

  #greeted(frame: FrameReader): void {
    const hello = parseJson("the hello of an env process", frame.text)
    const { protocol, connections } = readEnvHello(hello)
    if (protocol !== PROTOCOL_VERSION) {
      const message = `the env process speaks protocol ${protocol}, the daemon ${PROTOCOL_VERSION}: restart the daemon`
      this.#hello.reject(new BunhouseError("VERSION_MISMATCH", message))
      return
    }
    const isFirst = this.#connections === 0
    if (!isFirst && connections !== this.#connections) {
      this.#isReachable = false
      this.#options.onCutOff(this)
    }
    this.#connections = connections
    this.#isReachable = true
    this.served.removeFile()
    this.served.beginAnew()
    if (isFirst) void this.#isReady()
    else this.#options.onReachable(this)
  }

  #readWatchdog(): void {
    const fd = this.#child.stdio[WATCH_FD]
    if (typeof fd !== "number") return
    void readWatchLines(fd, ({ id = CONNECTION_ID, functionNumber = 0, ms: amount }) => {
      const about = { kind: ReportKind.loopBlocked, id, amount, functionNumber }
      const report = this.#options.reportOf(this, about)
      this.#stuck.blocked(report)
      if (amount >= LOOP_BLOCKED_TELL_MS) this.#options.onReport(this, report, false)
    })
  }

  async #ping(patienceMs: number): Promise<"answered" | "silent" | "gone"> {
    if (!this.isReachable) return "gone"
    try {
      await this.#control.ask({ op: "ping" }, patienceMs)
      return "answered"
    } catch (error) {
      const isLate = error instanceof BunhouseError && error.code === "DEADLINE_EXCEEDED"
      return isLate && this.isReachable ? "silent" : "gone"
    }
  }

  /** Nothing else stops what runs there. It is no crash. */
  #endStuck(reason: string): void {
    this.#endedFor ??= reason
    this.#isForced = true
    this.kill()
  }

  /** One that is over its limit before its first call is not ready, and says why by its exit. */
  async #isReady(): Promise<void> {
    if (!(await this.#memory.isOver())) this.#hello.resolve()
  }

  #publish(subject: string, batch: Uint8Array): void {
    const { connection, onUnsent } = this.#options
    // Without a connection the calls of this batch are settled as BROKER_LOST by the dispatcher.
    if (!connection.isConnected) return
    try {
      connection.publish(subject, batch)
    } catch (error) {
      // An outside broker may take less than a frame may hold. Told later: who writes to the outbox is in the middle of it.
      setImmediate(() => onUnsent(batch, asBunhouseError(error, "handing calls to the broker")))
    }
  }

  /** The process ends top-level code that awaits for ever. Where it says nothing, the code blocks it, for ever as well. */
  #loadError({ name, timeoutMs }: LoadRequest): (error: unknown) => never {
    return (error) => {
      if (!(error instanceof BunhouseError) || error.code !== "DEADLINE_EXCEEDED") throw error
      this.kill()
      const message = `${name} cannot be loaded: the env process did not answer for ${timeoutMs} ms, and was ended`
      throw new BunhouseError("DEPLOY_FAILED", message, { cause: error })
    }
  }

  async #watch(): Promise<EnvExit> {
    const child = this.#child
    await child.exited
    this.served.removeFile()
    this.#memory.stop()
    // Grandchildren of a process that was killed are still in its group (V1).
    killGroup(child.pid)
    // What the process said before its end may still be on its way through the broker, unless that is stuck.
    const flushed = this.#options.connection.flush().catch(() => {})
    await Promise.race([flushed, Bun.sleep(LAST_WORDS_MS_MAX)])
    this.#isReachable = false
    for (const unlisten of this.#unlisten) unlisten()
    const how = String(child.signalCode ?? `exit code ${child.exitCode}`)
    return { how: this.#endedFor ?? how, isForced: this.#isForced }
  }
}

const LAST_WORDS_MS_MAX = 500
