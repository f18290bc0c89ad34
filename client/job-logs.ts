import { Fields } from "../protocol/fields.ts"
import { paths } from "../protocol/http.ts"
import { readJobLogLine } from "../protocol/job-log.ts"
import { CONTROL_TIMEOUT_MS, JOB_WAIT_MS_MAX } from "../protocol/limits.ts"
import type { Control } from "./control.ts"
import { within } from "./job-requests.ts"
import { droppedLine, type LogLine } from "./logs.ts"
import { patiently } from "./patience.ts"

export interface JobLogsOptions {
  /** Default false: what is kept by now. True: goes on until the job has ended. */
  readonly follow?: boolean
  /** Ends the reading, not the job; the generator then throws the signal's reason. */
  readonly signal?: AbortSignal
}

/** The lines of a job, over as many requests as it takes. */
export async function* jobLines(
  control: Control,
  id: string,
  { follow = false, signal }: JobLogsOptions,
): AsyncGenerator<LogLine, void, undefined> {
  let next = 0
  // Of the line before, for a line that says what is missing behind it.
  let last: Pick<LogLine, "callId" | "time"> | undefined
  for (;;) {
    const batch = await ask(control, id, next, follow ? JOB_WAIT_MS_MAX : 0, signal)
    const { env, function: fn, lines } = batch
    for (const { line, callId, stream, time, text } of lines) {
      const about = { callId, env, function: fn }
      last = { callId, time: new Date(time) }
      if (line > next) yield { ...about, ...droppedLine(line - next, last.time) }
      yield { ...about, stream, time: last.time, text }
      next = line + 1
    }
    if (batch.next > next) {
      const { callId, time } = last ?? { callId: batch.callId, time: new Date() }
      yield { callId, env, function: fn, ...droppedLine(batch.next - next, time) }
    }
    next = batch.next
    if (!follow || batch.hasEnded) return
  }
}

async function ask(
  control: Control,
  id: string,
  from: number,
  waitMs: number,
  signal: AbortSignal | undefined,
) {
  const path = `${paths.jobLogs(id)}?${new URLSearchParams({ from: String(from), waitMs: String(waitMs) }).toString()}`
  try {
    return await patiently(control, async () => {
      signal?.throwIfAborted()
      const response = await control.send("GET", path, {
        // What waits must not keep what does not from a connection.
        keepsConnection: waitMs === 0,
        signal: within(waitMs + CONTROL_TIMEOUT_MS, signal),
      })
      return readAnswer(await response.json())
    })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

function readAnswer(answer: unknown) {
  const fields = new Fields("the lines of a job", answer)
  const job = fields.required("job", (status) => ({
    env: status.text("env"),
    function: status.text("function"),
    callId: status.optionalText("callId") ?? "",
    hasEnded: status.optionalText("endedAt") !== undefined,
  }))
  return {
    ...job,
    lines: fields.list("lines").map(readJobLogLine),
    next: fields.integer("next", 0, Number.MAX_SAFE_INTEGER),
  }
}
