import type { LoadRequest } from "../../protocol/env-control.ts"
import { Outbox } from "../../protocol/outbox.ts"
import type { ServedFrom } from "../../server/calls/route.ts"
import type { EnvExit, EnvLife } from "../../server/envs/life.ts"
import { framesIn, type SeenFrame } from "./frames.ts"

/** One life of an env process that lives and dies by a test's word. */
export class FakeLife implements EnvLife {
  readonly incarnation = crypto.randomUUID()
  readonly pid = ++lastPid
  readonly startedAt = new Date()
  readonly threadsMax: number
  readonly folder: string
  readonly cwd: string
  readonly rssBytes = undefined
  awaited = 0
  /** The last limit that it was given. */
  memoryMiB: number | undefined
  readonly outbox: Outbox
  readonly received: SeenFrame[] = []
  /** What it was asked to load, in order. */
  readonly loads: LoadRequest[] = []
  /** What it was told to serve, in order. */
  readonly served = new FakeServed()
  /** What it was asked to forget, in order. */
  readonly unloaded: number[] = []
  isReachable = true
  /** What loading does; by default it succeeds at once. */
  onLoad: (request: LoadRequest) => Promise<unknown> = () => Promise.resolve()
  /** How it ends when it is told to; undefined lets it go on. */
  endsBy: string | undefined = "exit code 0"
  wasKilled = false
  wasStopped = false
  readonly #exited = Promise.withResolvers<EnvExit>()
  readonly #ready = Promise.withResolvers<void>()

  constructor(threadsMax = 4, folder = "/nowhere") {
    this.threadsMax = threadsMax
    this.folder = folder
    this.cwd = folder
    this.outbox = new Outbox({
      send: (batch) => void this.received.push(...framesIn(batch)),
      messageBytesMax: 1 << 20,
      flushAfter: "turn",
    })
    this.ready.catch(() => {})
  }

  get exited(): Promise<EnvExit> {
    return this.#exited.promise
  }

  get ready(): Promise<void> {
    return this.#ready.promise
  }

  async load(request: LoadRequest): Promise<unknown> {
    this.loads.push(request)
    return this.onLoad(request)
  }

  unload(index: number): void {
    this.unloaded.push(index)
  }

  limitMemory(memoryMiB: number | undefined): void {
    this.memoryMiB = memoryMiB
  }

  abandoned(): void {}

  reported(): void {}

  async stop(): Promise<void> {
    this.wasStopped = true
    if (this.endsBy !== undefined) this.exit(this.endsBy)
    await this.exited
  }

  kill(): void {
    this.wasKilled = true
    this.exit("SIGKILL")
  }

  /** It says hello. */
  hello(): void {
    this.#ready.resolve()
  }

  exit(how: string, isForced = false): void {
    this.#ready.reject(new Error(how))
    this.#exited.resolve({ how, isForced })
  }
}

/** Keeps what it is told. */
export class FakeServed implements ServedFrom {
  readonly told: [name: string, index: number | undefined][] = []
  hasEnded = false
  ownCalls = 0
  /** Of these, on threads. */
  ownThreadCalls = 0
  /** Whether the daemon wants to hear when one of them ends. */
  areThreadsWanted = false
  threadsMax = 0

  leavesThread(threads: number): boolean {
    this.areThreadsWanted ||= this.ownThreadCalls >= threads
    return this.ownThreadCalls < threads
  }

  limitThreads(max: number): void {
    this.threadsMax = max
  }

  serves(name: string, index: number | undefined): void {
    this.told.push([name, index])
  }

  end(): void {
    this.hasEnded = true
  }
}

let lastPid = 100_000
