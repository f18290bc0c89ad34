import { BunhouseError } from "./errors.ts"
import { Fields, parseJson } from "./fields.ts"
import {
  JOB_ATTEMPTS_DEFAULT,
  JOB_ATTEMPTS_MAX,
  JOB_DELAY_MS_MAX,
  JOB_ID_LENGTH_MAX,
  JOB_TTL_MS_DEFAULT,
  JOB_TTL_MS_MAX,
} from "./limits.ts"
import type { Progress } from "./progress.ts"

/** Life of a job, as a user sees it; the last three are ends. */
export const JOB_STATES = ["queued", "running", "succeeded", "failed", "cancelled"] as const
export type JobState = (typeof JOB_STATES)[number]

/** What `job.status()`, `GET /v1/jobs/:id` and `bunhouse job <id> --json` answer. Times are in ISO 8601. */
export interface JobStatus {
  readonly id: string
  readonly env: string
  readonly function: string
  readonly state: JobState
  readonly durable: boolean
  /** Attempts that were begun. */
  readonly attempts: number
  /** Attempts that may be begun: 1 unless the job is durable. */
  readonly attemptsMax: number
  readonly createdAt: string
  /** Of a queued job: it runs no sooner than this (`delayMs`, or the wait before the next attempt). */
  readonly runAt?: string
  /** When the last attempt began. */
  readonly startedAt?: string
  readonly endedAt?: string
  /** Of a job that has ended: from then on nobody knows it any more. */
  readonly expiresAt?: string
  /** What the function reported last. */
  readonly progress?: Progress
  /** How the last attempt that failed did so. */
  readonly reason?: string
  /** Id of the last attempt's call, as in errors and logs. */
  readonly callId?: string
  /** A durable job that failed for good: it is in the dead-letter list. */
  readonly dead: boolean
  /** The schedule that started the job. */
  readonly schedule?: string
}

/** How a job is run. */
export interface JobOptions {
  /**
   * Name of the job, 1 to 64 letters, digits, `_` and `-`. Default: a random one. Starting a second time under an id
   * gives the job that is there, and starts nothing.
   */
  readonly id?: string
  /**
   * Default false: the function runs at most once. True: it runs at least once, so it must bear running twice; it is
   * tried again when it throws, and when its env process, the broker or the daemon was lost.
   */
  readonly durable?: boolean
  /** How often a durable job is tried, 1 to 100. Default 5. */
  readonly attempts?: number
  /** Milliseconds from the start until the job may run, up to a year. Default 0. */
  readonly delayMs?: number
  /** Milliseconds for which the job and its result are kept once it has ended, up to 30 days. Default one day. */
  readonly ttlMs?: number
}

/** Options with nothing left open. */
export interface JobPlan {
  readonly durable: boolean
  readonly attempts: number
  readonly delayMs: number
  readonly ttlMs: number
}

/** Reads the options of a job, from a user or from a header. Throws INVALID_ARGUMENT. */
export function readJobOptions(input: unknown): { readonly id?: string; readonly plan: JobPlan } {
  const fields = new Fields("the options of a job", input)
  const id = fields.optionalText("id")
  if (id !== undefined) checkJobId(id)
  const plan = planIn(fields)
  fields.done()
  return { plan, ...(id !== undefined && { id }) }
}

/** Reads what `readJobOptions` made. */
export function readJobPlan(fields: Fields): JobPlan {
  return planIn(fields)
}

function planIn(fields: Fields): JobPlan {
  const durable = fields.unknown("durable") === undefined ? false : fields.flag("durable")
  const attempts = fields.integer(
    "attempts",
    1,
    JOB_ATTEMPTS_MAX,
    durable ? JOB_ATTEMPTS_DEFAULT : 1,
  )
  if (!durable && attempts > 1) {
    const message = `a job of ${attempts} attempts must be durable: one that is not runs at most once`
    throw new BunhouseError("INVALID_ARGUMENT", message)
  }
  return {
    durable,
    attempts,
    delayMs: fields.integer("delayMs", 0, JOB_DELAY_MS_MAX, 0),
    ttlMs: fields.integer("ttlMs", 1, JOB_TTL_MS_MAX, JOB_TTL_MS_DEFAULT),
  }
}

/** Throws INVALID_ARGUMENT unless `id` may be the id of a job: ids are parts of keys and of paths. */
export function checkJobId(id: string): void {
  if (id.length <= JOB_ID_LENGTH_MAX && /^[A-Za-z0-9_-]+$/.test(id)) return
  const message = `expected the id of a job to be 1 to ${JOB_ID_LENGTH_MAX} letters, digits, _ and -, got ${JSON.stringify(id.slice(0, 80))}`
  throw new BunhouseError("INVALID_ARGUMENT", message)
}

/** Reads a header with JSON in it; nothing there is an empty object. Throws INVALID_ARGUMENT. */
export function readJsonHeader(name: string, text: string | null): unknown {
  return text === null ? {} : parseJson(`the header ${name}`, text)
}

/** What can be asked for in a list: a state, or the dead-letter list. */
export const JOB_FILTERS = [...JOB_STATES, "dead"] as const
export type JobFilter = (typeof JOB_FILTERS)[number]
