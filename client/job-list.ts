import { Fields } from "../protocol/fields.ts"
import { paths } from "../protocol/http.ts"
import type { JobFilter, JobStatus } from "../protocol/job.ts"
import type { Link } from "./link.ts"

export interface JobListOptions {
  /** Default: jobs of all states. */
  readonly state?: JobFilter
  /** How many at most, 0 to 1,000. Default 1,000. */
  readonly limit?: number
}

export async function listJobs(
  { control }: Pick<Link, "control">,
  { state, limit }: JobListOptions,
): Promise<JobStatus[]> {
  const query = new URLSearchParams({
    ...(state !== undefined && { state }),
    ...(limit !== undefined && { limit: String(limit) }),
  })
  const answer = await control.request("GET", `${paths.jobs}?${query.toString()}`)
  // The list is only shown to people, so the shape of its items is taken on trust.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return new Fields("the list of jobs", answer).list("jobs") as JobStatus[]
}
