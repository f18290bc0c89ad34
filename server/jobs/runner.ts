import { asBunhouseError, BunhouseError } from "../../protocol/errors.ts"
import { callIdOf } from "../../protocol/hello.ts"
import type { JobStep } from "../../protocol/job-record.ts"
import { JOBS_RUNNING_MAX } from "../../protocol/limits.ts"
import type { Dispatcher } from "../calls/dispatcher.ts"
import { storedPayload } from "../calls/open-payload.ts"
import type { FunctionRoute } from "../calls/route.ts"
import type { Log } from "../log.ts"
import type { StoredPayloads } from "../payloads/stored-payloads.ts"
import type { JobArguments } from "./arguments.ts"
import { attempt, cancelled, failed } from "./attempt.ts"
import { type Job, keysOf } from "./job.ts"
import { JobLog, type JobLogParts } from "./job-log.ts"
import { backoffMs, type Outcome, reasonOf, verdictOf } from "./verdict.ts"

/**
 * Runs jobs: waits for their time, then for a place, makes their calls, and writes down each step. A job holds a place
 * of the runner only while an attempt is on the way, and the runner has at most half of an env's places, so that calls
 * are not starved.
 *
 * Invariants:
 * J1. "running, attempt n" is in the store before the call is handed to the dispatcher: a daemon that dies at any point
 *     finds no attempt that it does not know of.
 * J2. The end is in the store before anybody is told of it.
 * J3. Nothing begins before `begin` or after `stop`; what is on the way goes on, and `settled` waits for it.
 */
export class Runner {
  readonly #parts: RunnerParts
  readonly #places = new Map<string, Place>()
  readonly #working = new Set<Promise<void>>()
  #mayBegin = false

  constructor(parts: RunnerParts) {
    this.#parts = parts
  }

  /** The job waits for its time and for a place, and is run. */
  enqueue(job: Job): void {
    const { agenda } = this.#parts
    const { runAt = 0 } = job.step
    job.phase = "waiting"
    if (runAt <= agenda.now()) return this.#queue(job)
    job.entry = agenda.add(runAt, () => this.#queue(job))
  }

  /** Settles once the job has ended, in whatever way: it may end by itself at the same moment. */
  async cancel(job: Job): Promise<void> {
    job.cancel()
    if (job.phase === "waiting") {
      job.queue?.delete(job)
      if (job.entry !== undefined) this.#parts.agenda.remove(job.entry)
      const ran = job.step.attempts === 0 ? "no" : "maybe"
      void this.#work(job, () => this.#end(job, "cancelled", failed(cancelled(job, ran))))
    }
    if (job.phase !== "ended") await new Promise<void>((resolve) => job.listen(resolve))
  }

  /** Ends a job of which the outcome is known. */
  end(job: Job, outcome: Outcome): Promise<void> {
    job.phase = "working"
    return this.#end(job, "failed", outcome)
  }

  begin(): void {
    this.#mayBegin = true
    for (const place of this.#places.values()) this.#fill(place)
  }

  stop(): void {
    this.#mayBegin = false
  }

  /** Settles when no job is worked on. */
  async settled(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working)
  }

  #queue(job: Job): void {
    job.entry = undefined
    const { env } = job.record
    const place = this.#placeAt(`${env}\n${this.#parts.find(job)?.info.run ?? ""}`)
    place.queue.add(job)
    job.queue = place.queue
    this.#fill(place)
  }

  #placeAt(key: string): Place {
    const place = this.#places.get(key) ?? { key, running: 0, queue: new Set<Job>() }
    this.#places.set(key, place)
    return place
  }

  #fill(place: Place): void {
    for (const job of place.queue) {
      if (!this.#mayBegin || place.running >= limitOf(this.#parts.find(job))) return
      place.queue.delete(job)
      job.queue = undefined
      place.running++
      void this.#work(job, () => this.#attempt(job)).finally(() => {
        place.running--
        this.#fill(place)
      })
    }
    if (place.running === 0) this.#places.delete(place.key)
  }

  /** The only way to work on a job. Never rejects. */
  #work(job: Job, work: () => Promise<void>): Promise<void> {
    job.phase = "working"
    const working = work().catch((error: unknown) => {
      // The daemon stops and cannot write: what the store holds is the truth, and the next daemon goes on from there.
      const { message } = asBunhouseError(error, "a job")
      this.#parts.log("job left as it is", { job: job.id, reason: message })
    })
    this.#working.add(working)
    void working.then(() => this.#working.delete(working))
    return working
  }

  async #attempt(job: Job): Promise<void> {
    const { record } = job
    const before = job.step
    if (this.#parts.find(job) === undefined) {
      return this.#end(job, "failed", failed(noFunction(job)))
    }
    const attempts = before.attempts + 1
    const startedAt = this.#parts.agenda.now()
    await this.#write(job, { state: "running", attempts, startedAt }) // J1
    const [args, log] = await Promise.all([this.#arguments(job), JobLog.open(job, this.#parts)])
    job.log = log
    const outcome = args === undefined ? failed(noArguments(job)) : await this.#call(job, args)
    if (job.signal.aborted && outcome.kind === "failed") {
      return this.#end(job, "cancelled", asCancelled(job, outcome))
    }
    const verdict = verdictOf(outcome, record, attempts)
    if (verdict.kind === "end") return this.#end(job, verdict.state, outcome)
    const isLater = verdict.kind === "later"
    job.refusals = isLater ? job.refusals + 1 : 0
    const runAt = this.#parts.agenda.now() + backoffMs(isLater ? job.refusals : attempts)
    const reason = reasonOf(outcome)
    await this.#write(job, {
      ...job.step,
      state: "queued",
      attempts: isLater ? before.attempts : attempts,
      runAt,
      ...(reason !== undefined && { reason }),
    })
    if (job.signal.aborted) return this.#end(job, "cancelled", asCancelled(job, outcome))
    this.enqueue(job)
  }

  /** Undefined where the store has forgotten them. */
  async #arguments({ id, record }: Job): Promise<JobArguments | undefined> {
    const { keeper, payloads } = this.#parts
    const { large } = record
    if (large === undefined) return await keeper.body(keysOf(id).record)
    const name = `the arguments of the job ${id}`
    return storedPayload(name, large.bytes, payloads.read(name, large))
  }

  #call(job: Job, args: JobArguments): Promise<Outcome> {
    const { dispatcher, payloads, bootId, keeper } = this.#parts
    const { isJson, timeoutMs } = job.record
    // It was there before the step was written.
    const route = this.#parts.find(job)
    if (route === undefined) return Promise.resolve(failed(noFunction(job)))
    job.progress = undefined
    return attempt({
      dispatcher,
      payloads,
      resultBytesMax: keeper.bodyBytesMax,
      route,
      args,
      isJson,
      timeoutMs,
      signal: job.signal,
      onCall: (serial) => (job.step = { ...job.step, callId: callIdOf(bootId, serial) }),
      onProgress: (progress) => (job.progress = progress),
      onLines: (frame, serial) => job.log?.add(frame, callIdOf(bootId, serial)),
    })
  }

  async #end(job: Job, state: JobStep["state"], outcome: Outcome): Promise<void> {
    const { runAt: _, ...before } = job.step
    const { progress } = job
    const reason = reasonOf(outcome)
    const step: JobStep = {
      ...before,
      state,
      endedAt: this.#parts.agenda.now(),
      outcome: outcome.kind,
      ...(outcome.large !== undefined && { large: outcome.large }),
      ...(progress !== undefined && { progress }),
      ...(reason !== undefined && { reason }),
    }
    try {
      await this.#write(job, step, outcome.payload) // J2
    } catch (error) {
      if (!(error instanceof BunhouseError) || error.code !== "PAYLOAD_TOO_LARGE") throw error
      const { code, message } = error
      const tooLarge = new BunhouseError(code, `${job.address}: ${message}`, { ran: "yes" })
      return this.#end(job, "failed", failed(tooLarge))
    }
    this.#parts.grew(job, outcome.payload.length)
    this.#parts.ended(job)
  }

  async #write(job: Job, step: JobStep, body: Uint8Array = NOTHING): Promise<void> {
    if (step.state === "running") job.step = step // G1
    // Side by side: what an attempt printed makes nobody wait longer for its end than both writes take together.
    await Promise.all([
      job.log?.flush(), // L3
      this.#parts.keeper.put(keysOf(job.id).step, step, body),
    ])
    job.log = undefined
    job.step = step
  }
}

export interface RunnerParts extends JobLogParts {
  readonly dispatcher: Dispatcher
  readonly payloads: StoredPayloads
  readonly bootId: string
  readonly log: Log
  /** Where the job's calls go; undefined when its function is gone. */
  readonly find: (job: Job) => FunctionRoute | undefined
  /** The end of the job is in the store. */
  readonly ended: (job: Job) => void
}

interface Place {
  readonly key: string
  running: number
  readonly queue: Set<Job>
}

const NOTHING = new Uint8Array(0)

/** Half of the places, and at least one. A job without a function needs none to fail. */
function limitOf(route: FunctionRoute | undefined): number {
  if (route === undefined) return Number.POSITIVE_INFINITY
  return Math.max(1, Math.min(JOBS_RUNNING_MAX, Math.floor(route.lane.limit / 2)))
}

/** Whatever the attempt failed with, it is over because the job was cancelled; whether it ran stays the truth. */
function asCancelled(job: Job, { error }: Outcome): Outcome {
  if (error?.code === "CANCELLED") return failed(error)
  return failed(cancelled(job, error?.ran === "no" ? "no" : "maybe"))
}

function noFunction({ address, record }: Job): BunhouseError {
  const { env, function: fn } = record
  const message = `${address}: the function was deleted before its job could run`
  return new BunhouseError("NOT_FOUND", message, { env, function: fn, ran: "no" })
}

function noArguments({ address }: Job): BunhouseError {
  const message = `${address}: the arguments of the job are not in the store any more`
  return new BunhouseError("INTERNAL", message, { ran: "no" })
}
