import { Fields } from "./fields.ts"
import type { JobStatus } from "./job.ts"

/** A line that an attempt of a job printed, as `GET /v1/jobs/:id/logs` tells it. */
export interface JobLogLine {
  /** Counted from 0 since the job began. What is missing between two numbers was dropped. */
  readonly line: number
  /** Of the attempt. */
  readonly callId: string
  readonly stream: "stdout" | "stderr"
  /** In ISO 8601, by the clock of the machine where the function ran. */
  readonly time: string
  readonly text: string
}

/** What `GET /v1/jobs/:id/logs` answers. */
export interface JobLogAnswer {
  /** As it was when the lines were read: of a job that has ended then, no line is missing behind them. */
  readonly job: JobStatus
  readonly lines: readonly JobLogLine[]
  /** Where to ask on from. */
  readonly next: number
}

/** Throws INVALID_ARGUMENT. */
export function readJobLogLine(input: unknown): JobLogLine {
  const fields = new Fields("a line of a job", input)
  return {
    line: fields.integer("line", 0, Number.MAX_SAFE_INTEGER),
    callId: fields.text("callId"),
    stream: fields.oneOf("stream", ["stdout", "stderr"]),
    time: fields.text("time"),
    text: fields.text("text"),
  }
}
