import { BunhouseError } from "../protocol/errors.ts"
import { type HomePaths, hostInUrl } from "../protocol/home.ts"
import { BROKER_WAIT_MS_MAX, DRAIN_MS_MAX } from "../protocol/limits.ts"
import type { DaemonStatus } from "../protocol/status.ts"
import { PACKAGE_VERSION, PROTOCOL_VERSION } from "../protocol/version.ts"
import { type Broker, openBroker } from "./broker.ts"
import { homeTaken } from "./entry.ts"
import { prepareHome, readOrMakeSecret } from "./home.ts"
import type { HttpServer, serveHttp } from "./http/app.ts"
import { Gate, hostsOf } from "./http/gate.ts"
import type { JobService } from "./jobs/open.ts"
import { HomeLock } from "./lock.ts"
import type { Log } from "./log.ts"
import type { Parts } from "./parts.ts"
import { processStart } from "./process-start.ts"
import { removeRecord, writeRecord } from "./record.ts"
import type { ServerSettings } from "./settings.ts"
import { envStatus } from "./envs/env-status.ts"

/**
 * One life of the daemon: starts the parts in order, stops them in reverse order.
 *
 * Invariants:
 * Z1. While it lives it holds the lock of its home; nothing in the home is touched before the lock is held.
 * Z2. When `start` rejects, everything that was started is stopped again.
 * Z3. `stop` is legal at any time and more than once; when it has resolved, no process of this daemon is left.
 */
export class Daemon {
  readonly #parts: DaemonParts
  readonly #startedAt = new Date()
  readonly #stopped = Promise.withResolvers<void>()
  readonly #hurried = Promise.withResolvers<void>()
  #http: HttpServer | undefined
  #state: DaemonStatus["state"] = "running"
  #stopping: Promise<void> | undefined
  #brokerTimer: Timer | undefined

  private constructor(parts: DaemonParts) {
    this.#parts = parts
  }

  /**
   * @throws {BunhouseError} UNAVAILABLE when another daemon has the home or the port, or no broker can be had.
   */
  static async start(
    settings: ServerSettings,
    log: Log,
    progress: (line: string) => void,
  ): Promise<Daemon> {
    // Everything that was started, to be stopped in reverse order should a later step fail (Z2).
    await using undo = new AsyncDisposableStack()
    const home = prepareHome(settings.home)
    const lock = undo.use(takeLock(home))
    const space = spaceOf(home)
    const opening = openBroker({ settings, home, space, log, progress })
    const opened = opening.catch(() => undefined) // Why not is told where it is waited for.
    undo.defer(async () => (await opened)?.stop())
    // Loaded while the broker starts, whose program is begun first: together they are most of what a restart waits for.
    await new Promise(setImmediate)
    const [
      { openStore },
      { openJobStore },
      { openPayloads },
      { openJobs },
      { tieParts },
      { serveHttp },
    ] = await Promise.all([
      import("../broker/store.ts"), // With the client library, for `openBroker` too.
      import("../broker/job-store.ts"),
      import("../broker/chunks.ts"),
      import("./jobs/open.ts"),
      import("./parts.ts"),
      import("./http/app.ts"),
    ])
    const broker = await opening
    let isWhole = true
    const problem = (line: string) => {
      isWhole = false
      log("record skipped", { line })
    }
    const jobProblems: string[] = []
    const jobProblem = (line: string) => void jobProblems.push(line)
    const [store, jobStore] = await Promise.all([
      openStore(broker.connection, { space, problem }),
      openJobStore(broker.connection, { space, problem: jobProblem }),
    ])
    const bootId = crypto.randomUUID().slice(0, 8)
    const calls = tieParts({ bootId, space, home, settings, broker, store, log })
    const { dispatcher, registry } = calls
    const [heads] = await Promise.all([jobStore.all(), registry.restore(problem)])
    for (const line of jobProblems) problem(line)
    const jobs = await openJobs({
      bootId,
      log,
      dispatcher,
      registry,
      problem,
      heads,
      store: jobStore,
      isWhole: jobProblems.length === 0,
      openPayloads: () => openPayloads(broker.connection, { space, what: "jobs" }),
    })
    undo.defer(() => jobs.stop(0))
    const daemon = new Daemon({ settings, home, lock, broker, log, bootId, jobs, ...calls })
    daemon.#listen(serveHttp)
    undo.move()
    if (isWhole) registry.sweepCode()
    jobs.begin()
    return daemon
  }

  /** Where it listens: `http://host:port`. */
  get url(): string {
    const { host, port } = this.#parts.settings
    return `http://${hostInUrl(host)}:${this.#http?.port ?? port}`
  }

  /** Resolves when the daemon has stopped, whoever stopped it. */
  get stopped(): Promise<void> {
    return this.#stopped.promise
  }

  /** Refuses new calls, lets running ones end for up to `drainMs`, then ends everything. */
  stop(drainMs: number = DRAIN_MS_MAX): Promise<void> {
    this.#stopping ??= this.#stop(drainMs).finally(() => this.#stopped.resolve())
    return this.#stopping
  }

  /** Ends the wait for running calls, if `stop` is in it. */
  hurry(): void {
    this.#hurried.resolve()
  }

  /** Why no calls are accepted now. */
  refusal(): BunhouseError | undefined {
    if (this.#state === "draining") return draining()
    if (!this.#parts.broker.connection.isConnected) {
      return new BunhouseError("UNAVAILABLE", "the daemon has no connection to its broker", {
        retryAfterMs: 500,
      })
    }
    return undefined
  }

  status(): DaemonStatus {
    const { settings, broker, dispatcher, registry } = this.#parts
    return {
      version: PACKAGE_VERSION,
      protocol: PROTOCOL_VERSION,
      pid: process.pid,
      url: this.url,
      home: settings.home,
      startedAt: this.#startedAt.toISOString(),
      rssBytes: process.memoryUsage.rss(),
      state: this.#state,
      broker: broker.status(),
      callsInFlight: dispatcher.callsInFlight,
      envs: [...registry.envs].map(envStatus),
    }
  }

  #listen(serve: typeof serveHttp): void {
    const { settings, home, bootId, desk, hello, registry, objects, jobs } = this.#parts
    const token = settings.token ?? readOrMakeSecret(home.token)
    try {
      this.#http = serve(
        {
          gate: new Gate(token, hostsOf(settings.host, settings.hosts)),
          desk,
          registry,
          objects,
          jobs: jobs.jobs,
          schedules: jobs.schedules,
          hello,
          status: () => this.status(),
          refusal: () => this.refusal(),
          shutdown: () => void this.stop(),
        },
        settings.host,
        settings.port,
      )
    } catch (cause) {
      throw cannotListen(settings, cause)
    }
    this.#watchBroker()
    writeRecord(home.daemon, {
      pid: process.pid,
      bootId,
      url: this.url,
      version: PACKAGE_VERSION,
      processStart: processStart(process.pid) ?? "",
    })
  }

  async #stop(drainMs: number): Promise<void> {
    const { dispatcher, registry, objects, jobs, broker, home, lock, log, bootId } = this.#parts
    log("stopping", { drainMs, callsInFlight: dispatcher.callsInFlight })
    this.#state = "draining"
    jobs.drain()
    dispatcher.refuseAll(draining())
    for (const { process: envProcess } of registry.envs) envProcess?.served.end()
    const patience = setTimeout(() => this.hurry(), drainMs)
    await Promise.race([dispatcher.drained, this.#hurried.promise])
    clearTimeout(patience)
    clearTimeout(this.#brokerTimer)
    await registry.close(draining(), ENV_GRACE_MS)
    await jobs.stop(JOBS_GRACE_MS)
    objects.close()
    await this.#http?.stop()
    await broker.stop()
    removeRecord(home.daemon, bootId)
    lock[Symbol.dispose]()
    log("stopped")
  }

  #watchBroker(): void {
    const { broker, dispatcher, log } = this.#parts
    broker.connection.onDisconnect(() => {
      if (this.#state === "draining") return
      log("broker lost")
      dispatcher.brokerLost()
      this.#brokerTimer = setTimeout(() => {
        const message = `the broker has been away for ${BROKER_WAIT_MS_MAX} ms`
        dispatcher.brokerStaysAway(
          new BunhouseError("UNAVAILABLE", message, { retryAfterMs: 1_000 }),
        )
      }, BROKER_WAIT_MS_MAX)
    })
    broker.connection.onReconnect(() => {
      log("broker back")
      clearTimeout(this.#brokerTimer)
      dispatcher.brokerBack()
    })
  }
}

interface DaemonParts extends Parts {
  readonly jobs: JobService
  readonly settings: ServerSettings
  readonly home: HomePaths
  readonly lock: HomeLock
  readonly broker: Broker
  readonly log: Log
  readonly bootId: string
}

function takeLock(home: HomePaths): HomeLock {
  const lock = HomeLock.take(home.lock)
  if (lock !== undefined) return lock
  throw new BunhouseError("UNAVAILABLE", homeTaken(home.root))
}

/** Letters that name this home in subjects and buckets of a shared cluster. */
function spaceOf(home: HomePaths): string {
  return new Bun.CryptoHasher("sha256")
    .update(readOrMakeSecret(home.space))
    .digest("hex")
    .slice(0, 16)
}

function cannotListen({ host, port }: ServerSettings, cause: unknown): BunhouseError {
  const taken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE"
  const message = taken
    ? `port ${port} on ${host} is taken by another program: stop it, or choose another with BUNHOUSE_PORT or --port`
    : `cannot listen on ${host}:${port} (BUNHOUSE_HOST or --host has to be an address of this machine): ${cause instanceof Error ? cause.message : String(cause)}`
  return new BunhouseError("UNAVAILABLE", message, { cause })
}

function draining(): BunhouseError {
  return new BunhouseError("UNAVAILABLE", "the daemon is stopping", { retryAfterMs: 1_000 })
}

const ENV_GRACE_MS = 500
/** For writing down how jobs ended that ended with their env. */
const JOBS_GRACE_MS = 2_000
