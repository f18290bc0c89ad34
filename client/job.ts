import { asciiJson } from "../protocol/ascii-json.ts"
import { encodeArgs } from "../protocol/codec/index.ts"
import { checkTimeoutMs, now } from "../protocol/deadlines.ts"
import { BunhouseError } from "../protocol/errors.ts"
import type { FunctionInfo } from "../protocol/function-spec.ts"
import { JOB_HEADER, PAYLOAD_TYPE, paths, TIMEOUT_HEADER } from "../protocol/http.ts"
import { checkJobId, type JobOptions, type JobStatus, readJobOptions } from "../protocol/job.ts"
import { JOB_RESULT_READS_MAX } from "../protocol/limits.ts"
import { sendingMs } from "./control.ts"
import { errorIn, readAnswer, readJobOutcome } from "./job-outcome.ts"
import { hasLaters } from "./later.ts"
import { type JobLogsOptions, jobLines } from "./job-logs.ts"
import type { Link } from "./link.ts"
import type { LogLine } from "./logs.ts"
import { patiently } from "./patience.ts"
import { ProgressPatience } from "./progress-patience.ts"

/**
 * A call that was started, and whose result is fetched later, by any process: `here.job(id)` is the same job. All of its
 * methods outlast a restart of the daemon.
 */
export class Job<R = unknown> {
  readonly id: string
  readonly #link: Link

  /** Made by `remote.start(…)` and `here.job(id)`. Throws INVALID_ARGUMENT for what is no id. */
  constructor(link: Link, id: string) {
    checkJobId(id)
    this.id = id
    this.#link = link
  }

  /** @throws {BunhouseError} NOT_FOUND for a job that was never started, or whose time is over. */
  async status(): Promise<JobStatus> {
    return await this.#ask("GET")
  }

  /**
   * Waits for the end of the job. May be asked as often as one likes until the job's time (`ttlMs`) is over.
   *
   * @throws what the function throws, or BunhouseError for a failure of the platform, with `ran`; CANCELLED for a job that
   *   was cancelled; DEADLINE_EXCEEDED when it has not ended in time (it goes on); NOT_FOUND.
   */
  async result(options: ResultOptions = {}): Promise<R> {
    const { signal } = options
    const timeoutMs = checkTimeoutMs(options.timeoutMs ?? 0)
    const dueAt = timeoutMs === 0 ? Number.POSITIVE_INFINITY : now() + timeoutMs
    const { jobs } = this.#link
    for (let reads = 1; ; reads++) {
      const hasEnded = await jobs.ended(this.id, dueAt, signal)
      const patience = new ProgressPatience(signal)
      const about = { signal: patience.signal }
      const path = `${paths.job(this.id)}/result`
      const response = await patience.waitFor(jobs.send("GET", path, about))
      if (response.status === 202) {
        if (hasEnded) continue // Another daemon took over, and runs it once more.
        throw this.#late(timeoutMs)
      }
      const body = await this.#answer(response, patience, reads < JOB_RESULT_READS_MAX)
      signal?.throwIfAborted()
      if (body === undefined) continue
      // The one place where the type of the outside meets the untyped inside.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return readJobOutcome(response, body) as R
    }
  }

  /**
   * What the function printed, attempt by attempt: what is kept by now, and with `follow` what comes until the job ends.
   * A line is there a second after it was printed, or when its attempt ends. Of a job that prints much the last 256 KiB
   * are kept; a line says how many are missing where it stands.
   *
   * @throws {BunhouseError} NOT_FOUND.
   */
  logs(options: JobLogsOptions = {}): AsyncGenerator<LogLine, void, undefined> {
    return jobLines(this.#link.control, this.id, options)
  }

  /**
   * Cancels the job, unless it has ended. One that waits never runs; in one that runs `context().signal` fires. Tells how
   * the job is then.
   *
   * @throws {BunhouseError} NOT_FOUND.
   */
  async cancel(): Promise<JobStatus> {
    return await this.#ask("DELETE")
  }

  async #ask(method: "GET" | "DELETE"): Promise<JobStatus> {
    const { control } = this.#link
    return await patiently(control, async () => {
      return jobIn(await control.request(method, paths.job(this.id)))
    })
  }

  /** Undefined where it broke off, as it does with the daemon, and may be read again. */
  async #answer(
    response: Response,
    patience: ProgressPatience,
    mayFail: boolean,
  ): Promise<Uint8Array | undefined> {
    return await readAnswer(response, patience).catch((cause: unknown) => {
      if (mayFail) return undefined
      const message = `the connection to the daemon was lost while the result of ${this.id} was read`
      throw new BunhouseError("UNAVAILABLE", message, { cause })
    })
  }

  #late(timeoutMs: number): BunhouseError {
    const message = `the job ${this.id} has not ended within ${timeoutMs} ms; it goes on`
    return new BunhouseError("DEADLINE_EXCEEDED", message)
  }
}

export interface ResultOptions {
  /** Milliseconds to wait. Default 0: until the job ends. */
  readonly timeoutMs?: number
  /** Ends the waiting, not the job; `result` then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** What `remote.start(…)` does: resolves once the daemon has the job in its store. */
export async function startJob<R>(start: {
  readonly link: Link
  readonly info: FunctionInfo
  readonly args: readonly unknown[]
  readonly job?: JobOptions
  readonly timeoutMs?: number
}): Promise<Job<R>> {
  const { link, info, args } = start
  if (hasLaters(args)) {
    const message = `${info.env}/${info.name}: a job is started with values: await what .later(…) stands for`
    throw new BunhouseError("INVALID_ARGUMENT", message, { env: info.env, function: info.name })
  }
  const body = encodeArgs(args)
  const timeoutMs = checkTimeoutMs(start.timeoutMs ?? 0)
  // With an id of its own the start may be repeated when the daemon was lost before it answered.
  const { plan, id = randomId() } = readJobOptions(start.job ?? {})
  const headers = {
    [JOB_HEADER]: asciiJson({ ...plan, id }),
    [TIMEOUT_HEADER]: String(timeoutMs),
  }
  const options = { type: PAYLOAD_TYPE, headers, body, timeoutMs: sendingMs(body) }
  let mayHaveArrived = false
  const path = paths.startJob(info.env, info.name)
  const onFailure = (error: unknown) => (mayHaveArrived ||= !wasRefused(error))
  try {
    const response = await link.jobs.send("POST", path, options, onFailure)
    if (!response.ok) throw await errorIn(response)
  } catch (error) {
    throw mayHaveArrived ? lost(info, id, error) : error
  }
  return new Job<R>(link, id)
}

/** Only a refused connection is proof that the daemon never heard of the job; so is that nobody knows where one is. */
function wasRefused(error: unknown): boolean {
  const { cause } = error instanceof Error ? error : {}
  if (cause === undefined) return true
  return cause instanceof Error && "code" in cause && REFUSED.has(cause.code)
}

/** Bun names it in either way. */
const REFUSED: ReadonlySet<unknown> = new Set(["ConnectionRefused", "ECONNREFUSED"])

function lost({ env, name }: FunctionInfo, id: string, cause: unknown): BunhouseError {
  const message = `${env}/${name}: the daemon was lost while the job ${id} was started; start it again under the same id`
  return new BunhouseError("DAEMON_LOST", message, { env, function: name, cause })
}

/** The answer is only shown to people, so its shape is taken on trust. */
function jobIn(answer: unknown): JobStatus {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return (answer as { readonly job: JobStatus }).job
}

function randomId(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 20)
}
