import { BunhouseError } from "../../protocol/errors.ts"
import { FrameFlag, FrameType } from "../../protocol/frame.ts"
import { readJobOptions } from "../../protocol/job.ts"
import { encodeLines } from "../../protocol/log-lines.ts"
import type { JobOptions, JobStatus } from "../../protocol/job.ts"
import { PARTS_STREAM } from "../../protocol/parts/part.ts"
import { Dispatcher } from "../../server/calls/dispatcher.ts"
import type { OpenPayload } from "../../server/calls/open-payload.ts"
import type { JobRequest } from "../../server/jobs/jobs.ts"
import { type JobService, openJobs } from "../../server/jobs/open.ts"
import { FakeChunks } from "./fake-chunks.ts"
import { FakeClock } from "./fake-clock.ts"
import { FakeEnv, FakeLink } from "./fake-env.ts"
import { FakeJobStore } from "./fake-job-store.ts"
import { batchOf, type FrameParts, type SeenFrame, standingOn } from "./frames.ts"
import { until } from "./until.ts"

/** Jobs between a store and an env that do what a test says, under a clock that a test moves. */
export class JobLab {
  readonly clock = new FakeClock()
  readonly store = new FakeJobStore()
  readonly chunks = new FakeChunks()
  /** Whether the next daemon is told that it has all heads. */
  isWhole = true
  /** Lines about what was left out. */
  readonly problems: string[] = []
  readonly logged: string[] = []
  dispatcher = new Dispatcher("boot", this.clock)
  env: FakeEnv
  #service: JobService | undefined

  /** `concurrency`: places on the loop; jobs get half of them. */
  private constructor(concurrency: number) {
    this.env = new FakeEnv({ concurrency })
    this.env.add("f", { index: 7 })
  }

  static async open({ concurrency = 4 } = {}): Promise<JobLab> {
    const lab = new JobLab(concurrency)
    await lab.restart()
    return lab
  }

  get jobs(): JobService["jobs"] {
    return this.service.jobs
  }

  get schedules(): JobService["schedules"] {
    return this.service.schedules
  }

  get service(): JobService {
    if (this.#service === undefined) throw new Error("expected the lab to be open")
    return this.#service
  }

  /**
   * Another daemon takes over, as after SIGKILL: of the one before it nothing is left but the store. Until `begin` it
   * runs nothing.
   */
  async restart({ begins = true } = {}): Promise<void> {
    if (this.#service !== undefined) {
      this.store.writesLeft = 0
      this.chunks.kill()
      this.#service.drain()
      await this.#service.stop(0)
      this.store.writesLeft = Number.POSITIVE_INFINITY
      this.dispatcher = new Dispatcher("boot", this.clock)
      const { limit } = this.env.lanes.loop
      this.env = new FakeEnv({ concurrency: limit })
      this.env.add("f", { index: 7 })
    }
    this.#service = await openJobs({
      store: this.store,
      heads: await this.store.all(),
      isWhole: this.isWhole,
      openPayloads: () => this.chunks.open(),
      dispatcher: this.dispatcher,
      bootId: "boot",
      log: (event, facts) => void this.logged.push(`${event} ${JSON.stringify(facts)}`),
      registry: {
        find: (_env, fn) => this.env.functions.get(fn),
        route: (_env, fn) => {
          const route = this.env.functions.get(fn)
          if (route !== undefined) return route
          throw new BunhouseError("NOT_FOUND", `there is no ${fn}`)
        },
      },
      problem: (line) => void this.problems.push(line),
      clock: this.clock,
    })
    if (begins) this.#service.begin()
  }

  start(
    options: JobOptions = {},
    more: Partial<JobRequest> & { args?: string | OpenPayload } = {},
  ) {
    const { args = "args", ...rest } = more
    const request = { env: "lab", function: "f", timeoutMs: 0, isJson: false, ...rest }
    const payload = typeof args === "string" ? Buffer.from(args) : args
    return this.jobs.start({ ...request, ...readJobOptions(options) }, payload)
  }

  /** Calls that were sent to the env process, in order, answered ones included. */
  get calls(): SeenFrame[] {
    return this.env.link?.calls ?? []
  }

  /** Waits until the env was sent so many calls in all, and gives the last one. */
  async called(count: number): Promise<SeenFrame> {
    await until(() => this.calls.length >= count, `${count} calls`)
    const call = this.calls[count - 1]
    if (call === undefined) throw new Error("expected a call")
    return call
  }

  /** The env process replies to a call. */
  reply(call: SeenFrame, payload = "result"): void {
    this.#answer(FrameType.reply, call, payload)
  }

  /** The env process grants so much of the arguments that come in parts. */
  grant({ id }: SeenFrame, bytes: number): void {
    this.#say(FrameType.credit, { id, timeoutMs: bytes, serial: PARTS_STREAM })
  }

  /** The text of the parts that the env process was sent of a call's arguments. */
  fed({ id }: SeenFrame): string {
    const parts = this.env.link?.received(FrameType.part) ?? []
    return parts.flatMap((part) => (part.id === id ? [part.text] : [])).join("")
  }

  /** The env process sends what has been granted of a result: `text` from `at` on, of `total` bytes in all. */
  sendPart({ id }: SeenFrame, text: string, at: number, total: number): void {
    this.#say(FrameType.part, { id, target: at, timeoutMs: total, payload: text })
  }

  /** The env process replies to a call behind the parts of its result. */
  replyBehindParts({ id }: SeenFrame): void {
    this.#say(FrameType.reply, { id, flags: FrameFlag.parts })
  }

  fail(call: SeenFrame, payload = "thrown", flags: (typeof FrameFlag)["thrown"] | 0 = 4): void {
    this.#answer(FrameType.error, call, payload, flags)
  }

  report(call: SeenFrame, progress: object): void {
    this.#answer(FrameType.progress, call, JSON.stringify(progress))
  }

  /** The function of a call prints lines. */
  print(call: SeenFrame, ...texts: readonly string[]): void {
    const lines = texts.map((text) => ({ stream: "stdout", timeMs: 7, text }) as const)
    this.printed(call, { target: lines.length, payload: encodeLines(lines) })
  }

  /** The env process says that a call has printed, and whatever else it says. */
  printed({ id }: SeenFrame, frame: FrameParts): void {
    this.#say(FrameType.log, { id, ...frame })
  }

  /** What is told of a job's lines, as `<number> <text>`. */
  async lines(id: string, from = 0): Promise<string[]> {
    const { lines } = await this.jobs.logs(id, from, 0, new AbortController().signal)
    return lines.map(({ line, text }) => `${line} ${text}`)
  }

  /** The env process is gone; another one serves at once, which counts its calls from the start. */
  loseEnv(): void {
    this.env.lose(this.dispatcher, new FakeLink())
    for (const route of this.env.functions.values()) this.dispatcher.loaded(route, 7)
  }

  async ended(id: string): Promise<JobStatus> {
    await until(() => this.jobs.status(id).endedAt !== undefined, `the end of ${id}`)
    return this.jobs.status(id)
  }

  async inState(id: string, state: JobStatus["state"]): Promise<JobStatus> {
    await until(() => this.jobs.status(id).state === state, `${id} to be ${state}`)
    return this.jobs.status(id)
  }

  /** What the end of a job is, as text. */
  async outcome(id: string): Promise<{ kind: string; text: string }> {
    const outcome = await this.jobs.outcome(id, 1_000, new AbortController().signal)
    if (outcome === undefined) throw new Error(`expected ${id} to have ended`)
    const { kind, payload } = outcome
    if (payload instanceof Uint8Array) return { kind, text: Buffer.from(payload).toString() }
    return { kind, text: Buffer.concat(await Array.fromAsync(payload.chunks)).toString() }
  }

  #answer(type: FrameType, { id }: SeenFrame, payload: string, flags = 0): void {
    this.#say(type, { id, payload, flags })
  }

  #say(type: FrameType, frame: FrameParts): void {
    const { link } = this.env
    if (link === undefined) throw new Error("expected an env process")
    this.dispatcher.replies(link, standingOn(batchOf(type, frame)))
  }
}
