import type { StoredHead } from "../../broker/job-store.ts"
import {
  type JobLogHead,
  type JobRecord,
  type JobStep,
  readJobLogHead,
  readJobRecord,
  readJobStep,
} from "../../protocol/job-record.ts"

/** What the store holds of jobs, by kind. What cannot be read is told and left out. */
export function storedJobs(
  heads: readonly StoredHead[],
  problem: (line: string) => void,
): StoredJobs {
  const stored: StoredJobs = { records: [], steps: new Map(), logs: new Map() }
  for (const { key, head, bodyBytes: bytes } of heads) {
    const [what, id = "", part] = key.split(".")
    if (what !== "job") continue
    try {
      if (part === "record") stored.records.push({ head: readJobRecord(head), bytes })
      else if (part === "step") stored.steps.set(id, { head: readJobStep(head), bytes })
      else if (part === "logs") stored.logs.set(id, { head: readJobLogHead(head), bytes })
    } catch (error) {
      problem(`${key} is left out: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return stored
}

export interface StoredJobs {
  readonly records: Stored<JobRecord>[]
  readonly steps: Map<string, Stored<JobStep>>
  readonly logs: Map<string, Stored<JobLogHead>>
}

export interface Stored<Head> {
  readonly head: Head
  /** Of the body. */
  readonly bytes: number
}
