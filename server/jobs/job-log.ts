import { BunhouseError } from "../../protocol/errors.ts"
import type { FrameReader } from "../../protocol/frame.ts"
import type { JobLogLine } from "../../protocol/job-log.ts"
import { JOB_LOG_WRITE_MS } from "../../protocol/limits.ts"
import type { Agenda, Entry } from "./agenda.ts"
import { type Job, keysOf } from "./job.ts"
import type { Keeper } from "./keeper.ts"
import { linesIn, LogTail } from "./log-tail.ts"

/**
 * What a job prints while an attempt runs, on its way into the store. It is in memory only that long.
 *
 * Invariants:
 * L1. Lines are told once the store has them, so that no number of a line is ever given to another one, whoever dies.
 * L2. One write at a time, and at most one per JOB_LOG_WRITE_MS until the attempt ends. What prints nothing writes nothing.
 * L3. When the end of an attempt is told, the store has its lines.
 */
export class JobLog {
  readonly #job: Job
  readonly #parts: JobLogParts
  readonly #tail: LogTail
  #storedBytes: number
  #isDirty = false
  #entry: Entry | undefined
  #writing: Promise<void> | undefined

  private constructor(job: Job, parts: JobLogParts, tail: LogTail, storedBytes: number) {
    this.#job = job
    this.#parts = parts
    this.#tail = tail
    this.#storedBytes = storedBytes
  }

  /** For another attempt; the lines of earlier ones are read where there are any. */
  static async open(job: Job, parts: JobLogParts): Promise<JobLog> {
    const isThere = job.logged !== undefined
    const stored = isThere ? await parts.keeper.entry(keysOf(job.id).logs) : undefined
    if (stored === undefined) return new JobLog(job, parts, new LogTail(), 0)
    return new JobLog(job, parts, LogTail.of(stored), stored.body.length)
  }

  /** `frame` stands on a log frame of the call `callId`. */
  add(frame: FrameReader, callId: string): void {
    this.#tail.add(frame, callId)
    this.#isDirty = true
    if (this.#writing === undefined) this.#arm()
  }

  /** Settles once the store has all that was added (L3). */
  async flush(): Promise<void> {
    await this.#writing
    this.#disarm()
    if (this.#isDirty) await this.#write()
  }

  #arm(): void {
    const { agenda } = this.#parts
    this.#entry ??= agenda.add(agenda.now() + JOB_LOG_WRITE_MS, () => {
      this.#entry = undefined
      // The keeper gives up only when the daemon stops: who ends the attempt hears of it, too.
      void this.#write().catch(() => {})
    })
  }

  #disarm(): void {
    if (this.#entry !== undefined) this.#parts.agenda.remove(this.#entry)
    this.#entry = undefined
  }

  /** L2. */
  #write(): Promise<void> {
    this.#writing = this.#put().finally(() => {
      this.#writing = undefined
      if (this.#isDirty) this.#arm()
    })
    return this.#writing
  }

  async #put(): Promise<void> {
    const { head, body } = this.#tail.entry()
    this.#isDirty = false
    try {
      await this.#parts.keeper.put(keysOf(this.#job.id).logs, head, body)
    } catch (error) {
      const isTooLarge = error instanceof BunhouseError && error.code === "PAYLOAD_TOO_LARGE"
      if (!isTooLarge || head.start === head.end) throw error
      // An outside broker that takes little gets fewer lines; no job fails for what it prints.
      this.#tail.shrink(Math.floor(body.length / 2))
      return this.#put()
    }
    this.#parts.grew(this.#job, body.length - this.#storedBytes)
    this.#storedBytes = body.length
    this.#job.hasLogged(head)
  }
}

export interface JobLogParts {
  readonly keeper: Keeper
  readonly agenda: Agenda
  /** The job takes so many bytes more in the store, or fewer. */
  readonly grew: (job: Job, bytes: number) => void
}

/** The lines from the number `from` on that are kept, and where to ask on. Undefined when the store has forgotten the job. */
export async function readJobLog(
  job: Job,
  from: number,
  keeper: Keeper,
): Promise<{ readonly lines: JobLogLine[]; readonly next: number } | undefined> {
  const next = job.logged?.end ?? 0
  if (next <= from) return { lines: [], next }
  const stored = await keeper.entry(keysOf(job.id).logs)
  return stored && linesIn(stored, from)
}
