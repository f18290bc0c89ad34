import { Job } from "../../client/job.ts"
import { Link } from "../../client/link.ts"
import type { LogLine } from "../../client/logs.ts"
import type { Cli } from "../command.ts"
import { daemonAddress } from "../daemon/find.ts"
import { renderPrinted } from "../render/env-line.ts"

export interface JobLogsQuestion {
  readonly isFollowed: boolean
  readonly isJson: boolean
}

/** `bunhouse job <id> --logs`: what its attempts printed, as `bunhouse logs <env>` shows it. */
export async function jobLogs(
  { environment, terminal }: Cli,
  id: string,
  { isFollowed, isJson }: JobLogsQuestion,
): Promise<undefined> {
  const handle = new Job(new Link(daemonAddress(environment), environment), id)
  let isEmpty = true
  const show = (line: LogLine): string => {
    if (isJson) return JSON.stringify(line)
    const { time, stream, text, function: fn, callId: call } = line
    return renderPrinted(
      { time: time.toISOString(), stream, text, function: fn, call },
      terminal.style,
    )
  }
  for await (const line of handle.logs({ follow: isFollowed })) {
    isEmpty = false
    await terminal.print(show(line))
  }
  if (!isEmpty) return
  const hasEnded = isFollowed || (await handle.status()).endedAt !== undefined
  terminal.say(`bunhouse: the job ${hasEnded ? "printed nothing" : "has printed nothing yet"}`)
}
