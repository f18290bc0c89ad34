import type { StoredHead } from "../../broker/job-store.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import type { JobFilter, JobPlan, JobStatus } from "../../protocol/job.ts"
import type { JobLogAnswer } from "../../protocol/job-log.ts"
import type { JobRecord, JobStep } from "../../protocol/job-record.ts"
import { BROKER_WAIT_MS_MAX, JOBS_LISTED_MAX, JOBS_MAX } from "../../protocol/limits.ts"
import type { StoredContent } from "../../protocol/stored-content.ts"
import type { FunctionRoute } from "../calls/route.ts"
import type { Room } from "../payloads/room.ts"
import type { StoredPayloads } from "../payloads/stored-payloads.ts"
import type { Agenda } from "./agenda.ts"
import { checkArguments, fitRecord, type JobArguments, openArguments } from "./arguments.ts"
import { failed } from "./attempt.ts"
import { Job, jobStatus, keysOf } from "./job.ts"
import { readJobLog } from "./job-log.ts"
import type { Keeper } from "./keeper.ts"
import { readOutcome, type StoredOutcome } from "./outcome.ts"
import type { Runner } from "./runner.ts"
import { type Stored, storedJobs } from "./stored-jobs.ts"
import { backoffMs } from "./verdict.ts"
import { within } from "./within.ts"

/**
 * The jobs that the daemon knows: starts, finds, lists, cancels and forgets them. How one is run is the runner's
 * business, and arguments and results are nobody's: they are bytes.
 *
 * Invariants:
 * Q1. A job is accepted once the store has it; an id names one job.
 * Q2. A restart finds every job again. One that was running has run maybe: unless it is durable, it ends as WORKER_LOST.
 * Q3. A job is forgotten when its time is over, in memory and in the store. The record goes first: a step or lines
 *     without a record mean nothing, while a record without a step would be a job that waits. Large payloads go last.
 * Q4. Large arguments are in the store before the job is: what breaks off on the way leaves nothing.
 * Q5. Of a job that has ended, large arguments are not kept any more.
 */
export class Jobs {
  readonly #jobs = new Map<string, Job>()
  readonly #parts: JobsParts

  constructor(parts: JobsParts) {
    this.#parts = parts
  }

  /**
   * Rejects with NOT_FOUND, OVERLOADED, PAYLOAD_TOO_LARGE, or UNAVAILABLE, which says with `ran` whether the job may have
   * been accepted after all; under the same id it can be started again in any case. Large arguments that break off, or
   * that the store does not take, make no job (Q4).
   */
  async start(request: JobRequest, args: JobArguments): Promise<JobStatus> {
    const { id = randomId(), env, function: fn } = request
    const known = this.#jobs.get(id)
    if (known !== undefined) return this.#known(known, request)
    this.#admit(checkArguments(this.#parts.find(env, fn), args))
    const { payloads, keeper } = this.#parts
    if (fitRecord(args, keeper.bodyBytesMax)) return await this.#begin({ ...request, id }, args)
    const large = await payloads.write(openArguments(args)) // Q4
    const rival = this.#jobs.get(id)
    if (rival === undefined) return await this.#begin({ ...request, id }, NOTHING, large)
    // Another request under the same id was quicker.
    payloads.drop(large)
    return await this.#known(rival, request)
  }

  /** Rejects with NOT_FOUND. */
  status(id: string): JobStatus {
    return jobStatus(this.#job(id))
  }

  /** Newest first, up to JOBS_LISTED_MAX. */
  list(filter: JobFilter | undefined, limit: number): JobStatus[] {
    const found: JobStatus[] = []
    for (const job of [...this.#jobs.values()].toReversed()) {
      if (found.length >= Math.min(limit, JOBS_LISTED_MAX)) break
      const status = jobStatus(job)
      const isAsked =
        filter === "dead" ? status.dead : filter === undefined || filter === status.state
      if (isAsked) found.push(status)
    }
    return found
  }

  /** Ends the job unless it has ended; tells how it is then. */
  async cancel(id: string): Promise<JobStatus> {
    const job = this.#job(id)
    await job.accepted
    if (job.phase !== "ended") await this.#parts.runner.cancel(job)
    return jobStatus(job)
  }

  /** How the job ended; undefined when it has not within `waitMs`, or nobody waits any more. */
  async outcome(
    id: string,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<StoredOutcome | undefined> {
    const job = this.#job(id)
    await this.ended([id], waitMs, signal)
    const outcome = await readOutcome(job, this.#parts.keeper, this.#parts.payloads)
    if (outcome === "forgotten") throw notFound(id)
    return outcome
  }

  /**
   * What its attempts printed, from the line `from` on. Where there is nothing yet this waits for lines, or for the end,
   * for up to `waitMs`.
   */
  async logs(id: string, from: number, waitMs: number, signal: AbortSignal): Promise<JobLogAnswer> {
    const job = this.#job(id)
    if (waitMs > 0 && job.phase !== "ended" && from === (job.logged?.end ?? 0)) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const unlisten = job.listenLines(resolve)
      await within(promise, waitMs, signal)
      unlisten()
    }
    const status = jobStatus(job) // Before its lines: when it has ended, they are all there (L3).
    const found = await readJobLog(job, from, this.#parts.keeper)
    if (found === undefined) throw notFound(id)
    return { job: status, ...found }
  }

  /** Takes up what an earlier daemon left (Q2). */
  async restore(heads: readonly StoredHead[], problem: (line: string) => void): Promise<void> {
    const { records, steps, logs } = storedJobs(heads, problem)
    const ends: Promise<void>[] = []
    for (const { head: record, bytes } of records.toSorted(byAge)) {
      const [step, log] = [steps.get(record.id), logs.get(record.id)]
      steps.delete(record.id)
      logs.delete(record.id)
      const bytesInAll = bytes + (step?.bytes ?? 0) + (log?.bytes ?? 0)
      const job = this.#add(record, step?.head ?? waitingStep(record), bytesInAll)
      job.logged = log?.head
      this.#adopt(job)
      if (job.step.endedAt !== undefined) this.hasEnded(job)
      else if (job.step.state === "running") ends.push(this.#afterLoss(job))
      else this.#parts.runner.enqueue(job)
    }
    for (const id of steps.keys()) this.#parts.keeper.forget([keysOf(id).step]) // Q3
    for (const id of logs.keys()) this.#parts.keeper.forget([keysOf(id).logs]) // Q3
    await Promise.all(ends)
  }

  /** Which of these jobs have ended, or are not known. Waits for the first one for up to `waitMs`. */
  async ended(ids: readonly string[], waitMs: number, signal: AbortSignal): Promise<string[]> {
    const isOver = (id: string) => (this.#jobs.get(id)?.phase ?? "ended") === "ended"
    if (waitMs > 0 && !ids.some(isOver)) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const unlisten = ids.flatMap((id) => this.#jobs.get(id)?.listen(resolve) ?? [])
      await within(promise, waitMs, signal)
      for (const each of unlisten) each()
    }
    return ids.filter(isOver)
  }

  /** The end of the job is in the store: from now on its time runs out. */
  hasEnded(job: Job): void {
    const { endedAt = 0, large: result } = job.step
    const { large: args, ttlMs } = job.record
    const { agenda, keeper, payloads } = this.#parts
    job.end()
    if (args !== undefined) payloads.drop(args) // Q5
    agenda.add(endedAt + ttlMs, () => {
      this.#remove(job)
      const { record, step, logs } = keysOf(job.id)
      const keys = job.logged === undefined ? [record, step] : [record, step, logs]
      keeper.forget(keys, () => result && payloads.drop(result)) // Q3
    })
  }

  /** The job takes so many bytes more in the store, or fewer. */
  hasGrown(job: Job, bytes: number): void {
    job.bytes += bytes
    this.#parts.room.add(bytes)
  }

  /** Large payloads that an earlier daemon stored for the job (Q5). */
  #adopt({ record, step }: Job): void {
    const { payloads } = this.#parts
    if (record.large !== undefined && step.endedAt === undefined) payloads.adopt(record.large)
    if (step.large !== undefined) payloads.adopt(step.large)
  }

  async #known(job: Job, { env, function: fn }: JobRequest): Promise<JobStatus> {
    if (job.record.env === env && job.record.function === fn) return this.#whenAccepted(job)
    const message = `the job ${job.id} is there already, of ${job.address}: choose another id`
    throw new BunhouseError("INVALID_ARGUMENT", message, { env, function: fn })
  }

  async #begin(
    { id, function: fn, plan, ...rest }: JobRequest & { readonly id: string },
    args: Uint8Array,
    large?: StoredContent,
  ): Promise<JobStatus> {
    const createdAt = this.#parts.agenda.now()
    const about = { ...plan, ...rest, id, function: fn, createdAt }
    const record: JobRecord = large === undefined ? about : { ...about, large }
    const job = this.#add(record, waitingStep(record), args.length)
    job.accepted = this.#accept(job, args)
    return await this.#whenAccepted(job)
  }

  /** While the broker is away this waits as long as a call would; the job may be accepted even later (Q1). */
  async #whenAccepted(job: Job): Promise<JobStatus> {
    if (!(await within(job.accepted, BROKER_WAIT_MS_MAX))) {
      const message = `${job.address}: the broker is away, and the job ${job.id} may be accepted when it is back`
      throw new BunhouseError("UNAVAILABLE", message, { ran: "maybe", retryAfterMs: 1_000 })
    }
    return jobStatus(job)
  }

  async #accept(job: Job, args: Uint8Array): Promise<void> {
    try {
      await this.#parts.keeper.put(keysOf(job.id).record, job.record, args)
    } catch (error) {
      this.#remove(job)
      throw error
    }
    this.#parts.runner.enqueue(job)
  }

  #admit(bytes: number): void {
    this.#parts.room.check(bytes)
    if (this.#jobs.size < JOBS_MAX) return
    const message = `${JOBS_MAX} jobs are kept, and no more are taken now`
    throw new BunhouseError("OVERLOADED", message, { retryAfterMs: 1_000 })
  }

  #add(record: JobRecord, step: JobStep, bytes: number): Job {
    const job = new Job(record, step, bytes)
    this.#jobs.set(record.id, job)
    this.#parts.room.add(bytes)
    return job
  }

  #remove(job: Job): void {
    this.#jobs.delete(job.id)
    this.#parts.room.add(-job.bytes)
  }

  #job(id: string): Job {
    const job = this.#jobs.get(id)
    if (job === undefined) throw notFound(id)
    return job
  }

  /** Q2. */
  async #afterLoss(job: Job): Promise<void> {
    const { attempts } = job.step
    const { env, function: fn } = job.record
    const reason = "the daemon was lost while the job was running"
    if (job.record.durable && attempts < job.record.attempts) {
      const runAt = this.#parts.agenda.now() + backoffMs(attempts)
      const step: JobStep = { ...job.step, state: "queued", runAt, reason }
      await this.#parts.keeper.put(keysOf(job.id).step, step, new Uint8Array(0))
      job.step = step
      return this.#parts.runner.enqueue(job)
    }
    const message = `${job.address}: ${reason}`
    const error = new BunhouseError("WORKER_LOST", message, { ran: "maybe", env, function: fn })
    await this.#parts.runner.end(job, failed(error))
  }
}

export interface JobsParts {
  readonly keeper: Keeper
  readonly payloads: StoredPayloads
  /** Arguments, results and lines of all jobs. */
  readonly room: Room
  readonly agenda: Agenda
  readonly runner: Runner
  /** Throws NOT_FOUND. */
  readonly find: (env: string, fn: string) => FunctionRoute
}

export interface JobRequest {
  readonly id?: string
  readonly env: string
  readonly function: string
  readonly plan: JobPlan
  readonly timeoutMs: number
  readonly isJson: boolean
  readonly schedule?: string
}

const NOTHING = new Uint8Array(0)

function byAge({ head: a }: Stored<JobRecord>, { head: b }: Stored<JobRecord>): number {
  return a.createdAt - b.createdAt
}

function waitingStep({ createdAt, delayMs }: JobRecord): JobStep {
  return { state: "queued", attempts: 0, runAt: createdAt + delayMs }
}

function randomId(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 20)
}

function notFound(id: string): BunhouseError {
  const message = `there is no job ${JSON.stringify(id)}: it was never started here, or its time is over`
  return new BunhouseError("NOT_FOUND", message)
}
