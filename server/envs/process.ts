import {
  type EnvBootstrap,
  type GreetRequest,
  type LoadRequest,
  readControlReply,
  readEnvHello,
  type UnloadRequest,
} from "../../protocol/env-control.ts"
import { asBunhouseError, BunhouseError } from "../../protocol/errors.ts"
import { parseJson } from "../../protocol/fields.ts"
import { FrameReader, FrameType } from "../../protocol/frame.ts"
import { DEADLINE_GRACE_MS, ENV_START_TIMEOUT_MS } from "../../protocol/limits.ts"
import { Outbox } from "../../protocol/outbox.ts"
import { envSubjects } from "../../protocol/subjects.ts"
import { PROTOCOL_VERSION } from "../../protocol/version.ts"
import type { BrokerConnection, Unlisten } from "../../broker/connection.ts"
import type { EnvLink } from "../calls/route.ts"
import { killGroup } from "./kill-group.ts"
import { spawnEnvProcess } from "./spawn.ts"
import type { EnvExit, EnvLife } from "./life.ts"
import { MemoryWatch, residentBytes } from "./memory.ts"

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
export interface EnvProcessOptions {
  readonly env: string
  readonly incarnation: string
  readonly bootId: string
  readonly space: string
  readonly threadsMax: number
  readonly connection: BrokerConnection
  /** Where the env process finds the broker, and as whom. */
  readonly broker: EnvBootstrap["broker"]
  /** Where code for it is written. */
  readonly folder: string
  /** Working directory; both must be there. */
  readonly cwd: string
  /** Its limit from the beginning; undefined for none. */
  readonly memoryMiB: number | undefined
  /** Further flags for Bun. */
  readonly bunArgs: readonly string[]
  /** Its output is appended here. */
  readonly logFile: string
  /** Environment of the process, complete. */
  readonly variables: Readonly<Record<string, string>>
  /** `frame` stands on the first frame. */
  readonly onReplies: (link: EnvLink, frame: FrameReader) => void
  /** Its connection to the broker was lost, and with it what was on the way. `isReachable` is false meanwhile. */
  readonly onCutOff: (process: EnvProcess) => void
  /** It can be reached again. */
  readonly onReachable: (process: EnvProcess) => void
  /** The broker did not take the calls of `batch`. */
  readonly onUnsent: (batch: Uint8Array, error: BunhouseError) => void
}

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
  readonly #control: string
  readonly #unlisten: readonly Unlisten[]
  readonly #hello = Promise.withResolvers<void>()
  readonly #frame = new FrameReader()
  readonly #memory: MemoryWatch
  /** Why the daemon ended it, where that says more than the signal. */
  #endedFor: string | undefined
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
    this.#control = subjects.control
    this.outbox = new Outbox({
      send: (batch) => this.#publish(subjects.calls, batch),
      messageBytesMax: connection.maxMessageBytes,
      flushAfter: "turn",
    })
    this.#unlisten = this.#listen(subjects.replies)
    try {
      this.#child = spawnEnvProcess(options)
    } catch (error) {
      for (const unlisten of this.#unlisten) unlisten()
      throw error
    }
    this.pid = this.#child.pid
    this.#memory = new MemoryWatch(this.pid, (how) => {
      this.#endedFor ??= how
      this.kill()
    })
    this.#memory.limit(options.memoryMiB)
    this.exited = this.#watch()
    this.ready = this.#awaitHello()
    // Whoever needs `ready` awaits it; that nobody does is no unhandled rejection.
    this.ready.catch(() => {})
    const bootstrap: EnvBootstrap = {
      protocol: PROTOCOL_VERSION,
      env: options.env,
      incarnation: options.incarnation,
      bootId: options.bootId,
      subjects,
      broker: options.broker,
      threadsMax: options.threadsMax,
      logFile: options.logFile,
    }
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
    const bytes = Buffer.from(JSON.stringify(request))
    const lost = this.exited.then(({ how }): never => {
      throw new BunhouseError(
        "DEPLOY_FAILED",
        `the env process ended while it loaded code (${how})`,
      )
    })
    const patienceMs = request.timeoutMs + DEADLINE_GRACE_MS
    const answered = this.#options.connection.request(this.#control, bytes, patienceMs)
    const answer = await Promise.race([answered.catch(this.#loadError(request)), lost])
    return readControlReply(parseJson("a control reply", Buffer.from(answer).toString()))
  }

  unload(index: number): void {
    const request: UnloadRequest = { op: "unload", index }
    if (this.isReachable) {
      this.#options.connection.publish(this.#control, Buffer.from(JSON.stringify(request)))
    }
  }

  async stop(graceMs: number): Promise<void> {
    this.#child.kill("SIGTERM")
    const killer = setTimeout(() => this.kill(), graceMs)
    await this.exited
    clearTimeout(killer)
  }

  kill(): void {
    // What is sent from here on is for the next process.
    this.#isReachable = false
    killGroup(this.pid)
  }

  #listen(replies: string): readonly Unlisten[] {
    const { connection } = this.#options
    const subscription = connection.subscribe(replies, (bytes) => this.#receive(bytes))
    const greet: GreetRequest = { op: "greet" }
    const greeting = Buffer.from(JSON.stringify(greet))
    return [
      () => subscription.unsubscribe(),
      connection.onDisconnect(() => (this.#isReachable = false)),
      // A process that came back first has said hello to nobody; one that comes back later does so by itself.
      connection.onReconnect(() => connection.publish(this.#control, greeting)),
    ]
  }

  #receive(bytes: Uint8Array): void {
    const frame = this.#frame
    frame.open(bytes)
    if (!frame.next()) return
    if (frame.type === FrameType.hello) this.#greeted(frame)
    else if (this.#connections > 0) this.#options.onReplies(this, frame)
  }

  #greeted(frame: FrameReader): void {
    const text = Buffer.from(frame.payload).toString()
    const { protocol, connections } = readEnvHello(parseJson("the hello of an env process", text))
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
    if (isFirst) void this.#isReady()
    else this.#options.onReachable(this)
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
    this.#memory.stop()
    // Grandchildren of a process that was killed are still in its group (V1).
    killGroup(child.pid)
    // What the process said before its end may still be on its way through the broker, unless that is stuck.
    const flushed = this.#options.connection.flush().catch(() => {})
    await Promise.race([flushed, Bun.sleep(LAST_WORDS_MS_MAX)])
    this.#isReachable = false
    for (const unlisten of this.#unlisten) unlisten()
    const how = String(child.signalCode ?? `exit code ${child.exitCode}`)
    return { how: this.#endedFor ?? how }
  }

  async #awaitHello(): Promise<void> {
    const { env } = this.#options
    let timer: Timer | undefined
    const late = new Promise<never>((_, reject) => {
      const error = new BunhouseError(
        "ENV_FAILED",
        `the process of env ${JSON.stringify(env)} was not ready within ${ENV_START_TIMEOUT_MS} ms`,
        { env },
      )
      timer = setTimeout(() => reject(error), ENV_START_TIMEOUT_MS)
    })
    const ended = this.exited.then(({ how }) => {
      throw new BunhouseError(
        "ENV_FAILED",
        `the process of env ${JSON.stringify(env)} ended before it was ready (${how})`,
        { env },
      )
    })
    try {
      await Promise.race([this.#hello.promise, late, ended])
    } finally {
      clearTimeout(timer)
    }
  }
}

const LAST_WORDS_MS_MAX = 500
