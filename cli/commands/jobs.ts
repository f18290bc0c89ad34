import { Control } from "../../client/control.ts"
import { listJobs } from "../../client/job-list.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { JOB_FILTERS } from "../../protocol/job.ts"
import { JOBS_LISTED_MAX } from "../../protocol/limits.ts"
import type { Answer, Cli } from "../command.ts"
import { daemonAddress } from "../daemon/find.ts"
import { renderJobs } from "../render/jobs.ts"

export interface JobsQuestion {
  /** Undefined for all. */
  readonly state: string | undefined
  readonly limit: number
}

/** `bunhouse jobs`: jobs that the daemon keeps, newest first. */
export async function jobs(
  { environment, terminal }: Cli,
  { state, limit }: JobsQuestion,
): Promise<Answer> {
  const filter = JOB_FILTERS.find((known) => known === state)
  if (state !== undefined && filter === undefined) {
    const message = `expected --state to be one of ${JOB_FILTERS.join(", ")}, got ${JSON.stringify(state)}`
    throw new BunhouseError("INVALID_ARGUMENT", message)
  }
  const control = new Control(() => daemonAddress(environment))
  const found = await listJobs(
    { control },
    {
      limit: Math.min(limit, JOBS_LISTED_MAX),
      ...(filter !== undefined && { state: filter }),
    },
  )
  if (found.length > 0) {
    return { document: { jobs: found }, text: renderJobs(found, terminal.style, Date.now()) }
  }
  const none =
    filter === undefined ? "no jobs; start one with `remote.start(…)`" : `no ${filter} jobs`
  terminal.say(`bunhouse: ${none}`)
  return { document: { jobs: found }, text: "" }
}
