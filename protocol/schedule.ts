import { Fields } from "./fields.ts"
import { type JobPlan, readJobPlan } from "./job.ts"

/** What starts a job again and again. */
export interface ScheduleStatus {
  readonly name: string
  readonly cron: string
  /** Undefined: the daemon's own time zone. */
  readonly timeZone?: string
  readonly env: string
  readonly function: string
  /** ISO 8601; undefined when there is no next tick. */
  readonly nextAt?: string
  /** Id of the job of the last tick. */
  readonly lastJobId?: string
  /** Why the last tick started no job. */
  readonly lastError?: string
}

/** A schedule as it is sent, in the header `bunhouse-schedule`; its arguments are the body. */
export interface ScheduleSpec {
  readonly cron: string
  readonly timeZone?: string
  readonly env: string
  readonly function: string
  readonly job: JobPlan
}

/** Reads a schedule that a client sends, or that was kept. Whether `cron` can be understood, the daemon says. */
export function readScheduleSpec(input: unknown): ScheduleSpec {
  const fields = new Fields("the schedule", input)
  const timeZone = fields.optionalText("timeZone")
  const spec: ScheduleSpec = {
    cron: fields.text("cron"),
    env: fields.text("env"),
    function: fields.text("function"),
    job: fields.required("job", (job) => {
      const plan = readJobPlan(job)
      job.done()
      return plan
    }),
    ...(timeZone !== undefined && { timeZone }),
  }
  fields.done()
  return spec
}
