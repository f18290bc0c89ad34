import { Fields } from "./fields.ts"
import { JOB_STATES, type JobPlan, type JobState, readJobPlan } from "./job.ts"
import { type Progress, readProgress } from "./progress.ts"
import { readScheduleSpec, type ScheduleSpec } from "./schedule.ts"
import { readStoredContent, type StoredContent } from "./stored-content.ts"

/**
 * What the store holds of a job, as heads of entries. The first is written once, when the job is accepted, and has the
 * arguments as its body. The second is written at every step of the job's life, and has the outcome as its body once
 * there is one. A job that prints has a third, with its lines as the body. What is too large for one message stands in the
 * store beside, complete before the head is written that names it (`large`); the body is empty then. Times are
 * milliseconds since 1970.
 */
export interface JobRecord extends JobPlan {
  readonly id: string
  readonly env: string
  readonly function: string
  /** Of one attempt; 0 for none. */
  readonly timeoutMs: number
  /** Arguments and result are JSON text. */
  readonly isJson: boolean
  readonly createdAt: number
  readonly schedule?: string
  /** The arguments, where the body is not them. */
  readonly large?: StoredContent
}

export interface JobStep {
  readonly state: JobState
  readonly attempts: number
  /** queued: not before. */
  readonly runAt?: number
  readonly startedAt?: number
  readonly endedAt?: number
  readonly progress?: Progress
  readonly reason?: string
  readonly callId?: string
  /** Once it has ended: what the body is. */
  readonly outcome?: OutcomeKind
  /** The outcome, where the body is not it. */
  readonly large?: StoredContent
}

/** Numbers of lines, counted from 0 since the job began. */
export interface JobLogHead {
  /** The first one that is kept. */
  readonly start: number
  /** The one that comes next. */
  readonly end: number
}

/** What the bytes of an outcome are: a result, what the function threw, or the JSON record of a platform error. */
const OUTCOME_KINDS = ["value", "thrown", "failed"] as const
export type OutcomeKind = (typeof OUTCOME_KINDS)[number]

export interface ScheduleRecord extends ScheduleSpec {
  readonly name: string
  readonly isJson: boolean
  /** The arguments, where the body is not them. */
  readonly large?: StoredContent
}

export function readJobRecord(input: unknown): JobRecord {
  const fields = new Fields("the record of a job", input)
  const schedule = fields.optionalText("schedule")
  const large = fields.optional("large", readStoredContent)
  return {
    ...readJobPlan(fields),
    id: fields.text("id"),
    env: fields.text("env"),
    function: fields.text("function"),
    timeoutMs: fields.integer("timeoutMs", 0, 0xffff_ffff),
    isJson: fields.flag("isJson"),
    createdAt: timeIn(fields, "createdAt") ?? 0,
    ...(schedule !== undefined && { schedule }),
    ...(large !== undefined && { large }),
  }
}

export function readJobStep(input: unknown): JobStep {
  const fields = new Fields("the last step of a job", input)
  const [runAt, startedAt, endedAt] = ["runAt", "startedAt", "endedAt"].map((key) => {
    return timeIn(fields, key)
  })
  const progress = fields.unknown("progress")
  const reason = fields.optionalText("reason")
  const callId = fields.optionalText("callId")
  const hasOutcome = fields.unknown("outcome") !== undefined
  const large = fields.optional("large", readStoredContent)
  return {
    state: fields.oneOf("state", JOB_STATES),
    attempts: fields.integer("attempts", 0, Number.MAX_SAFE_INTEGER),
    ...(runAt !== undefined && { runAt }),
    ...(startedAt !== undefined && { startedAt }),
    ...(endedAt !== undefined && { endedAt }),
    ...(progress !== undefined && { progress: readProgress(progress) }),
    ...(reason !== undefined && { reason }),
    ...(callId !== undefined && { callId }),
    ...(hasOutcome && { outcome: fields.oneOf("outcome", OUTCOME_KINDS) }),
    ...(large !== undefined && { large }),
  }
}

export function readJobLogHead(input: unknown): JobLogHead {
  const fields = new Fields("the lines of a job", input)
  const start = fields.integer("start", 0, Number.MAX_SAFE_INTEGER)
  return { start, end: fields.integer("end", start, Number.MAX_SAFE_INTEGER) }
}

export function readScheduleRecord(input: unknown): ScheduleRecord {
  const fields = new Fields("the record of a schedule", input)
  const large = fields.optional("large", readStoredContent)
  return {
    ...readScheduleSpec(fields.unknown("spec")),
    name: fields.text("name"),
    isJson: fields.flag("isJson"),
    ...(large !== undefined && { large }),
  }
}

function timeIn(fields: Fields, key: string): number | undefined {
  if (fields.unknown(key) === undefined) return undefined
  return fields.integer(key, 0, Number.MAX_SAFE_INTEGER)
}
