import type { JobStatus } from "../../protocol/job.ts"
import type { JobLogHead, JobRecord, JobStep } from "../../protocol/job-record.ts"
import type { Progress } from "../../protocol/progress.ts"
import type { Entry } from "./agenda.ts"
import type { JobLog } from "./job-log.ts"

/**
 * One job in the daemon's memory.
 *
 *     waiting ─▶ working ─▶ waiting …     another attempt follows
 *        │          └─────▶ ended
 *        └─▶ working (cancelled) ─▶ ended
 *
 * Invariants:
 * G1. `step` is what the store holds: it is changed once the write is done, except that a job counts as running from
 *     the moment in which its step is on the way.
 * G2. Who made the phase `working` is the only one who changes the job, until he makes it another.
 */
export class Job {
  readonly record: JobRecord
  phase: "waiting" | "working" | "ended" = "waiting"
  step: JobStep
  /** What arguments, outcome and lines take in the store. */
  bytes: number
  /** Which lines the store has; undefined where nothing was printed. */
  logged: JobLogHead | undefined
  /** Where an attempt prints to, while one runs. */
  log: JobLog | undefined
  /** Reported by the attempt that runs. */
  progress: Progress | undefined
  /** Calls in a row that the platform did not take. */
  refusals = 0
  /** Where the job waits: for its time, or for a place. */
  entry: Entry | undefined
  queue: Set<Job> | undefined
  /** Settles once the store has the job. */
  accepted: Promise<void> = Promise.resolve()
  // Made when it is needed: a daemon keeps many jobs that have ended, and few that run.
  #cancel: AbortController | undefined
  readonly #onEnd = new Set<() => void>()
  #onLines: Set<() => void> | undefined

  constructor(record: JobRecord, step: JobStep, bytes: number) {
    this.record = record
    this.step = step
    this.bytes = bytes
  }

  get id(): string {
    return this.record.id
  }

  get address(): string {
    return `${this.record.env}/${this.record.function}`
  }

  /** Fires when the job is cancelled. */
  get signal(): AbortSignal {
    this.#cancel ??= new AbortController()
    return this.#cancel.signal
  }

  cancel(): void {
    this.#cancel ??= new AbortController()
    this.#cancel.abort()
  }

  /** The store has the end. */
  end(): void {
    this.phase = "ended"
    this.#cancel = undefined
    for (const listener of this.#onEnd) listener()
    this.#onEnd.clear()
  }

  /** The store has more lines. */
  hasLogged(head: JobLogHead): void {
    this.logged = head
    for (const listener of this.#onLines ?? []) listener()
  }

  /** For a job that has not ended. Legal to be taken back at any time. */
  listen(onEnd: () => void): () => void {
    this.#onEnd.add(onEnd)
    return () => void this.#onEnd.delete(onEnd)
  }

  /** As `listen`, and hears also of every write of lines. */
  listenLines(listener: () => void): () => void {
    const lines = (this.#onLines ??= new Set())
    lines.add(listener)
    const unlisten = this.listen(listener)
    return () => {
      lines.delete(listener)
      unlisten()
    }
  }
}

/**
 * Keys of the entries of a job: its record with the arguments, its last step with the outcome, and, where it prints,
 * its lines.
 */
export function keysOf(id: string): JobKeys {
  return { record: `job.${id}.record`, step: `job.${id}.step`, logs: `job.${id}.logs` }
}

interface JobKeys {
  readonly record: string
  readonly step: string
  readonly logs: string
}

/** What a user is told about a job. */
export function jobStatus({ record, step, progress: reported }: Job): JobStatus {
  const { state, attempts, runAt, startedAt, endedAt, reason, callId } = step
  const progress = reported ?? step.progress
  return {
    id: record.id,
    env: record.env,
    function: record.function,
    state,
    durable: record.durable,
    attempts,
    attemptsMax: record.attempts,
    createdAt: iso(record.createdAt),
    ...(state === "queued" && runAt !== undefined && { runAt: iso(runAt) }),
    ...(startedAt !== undefined && { startedAt: iso(startedAt) }),
    ...(endedAt !== undefined && {
      endedAt: iso(endedAt),
      expiresAt: iso(endedAt + record.ttlMs),
    }),
    ...(progress !== undefined && { progress }),
    ...(reason !== undefined && { reason }),
    ...(callId !== undefined && { callId }),
    dead: record.durable && state === "failed",
    ...(record.schedule !== undefined && { schedule: record.schedule }),
  }
}

function iso(time: number): string {
  return new Date(time).toISOString()
}
