import type { JobStatus } from "../../protocol/job.ts"
import type { OutcomeKind } from "../../protocol/job-record.ts"
import type { StoredPayloads } from "../payloads/stored-payloads.ts"
import { type Job, jobStatus, keysOf } from "./job.ts"
import type { Keeper } from "./keeper.ts"

/** How a job has ended, as it was written down. */
export interface StoredOutcome {
  readonly status: JobStatus
  readonly kind: OutcomeKind
  readonly isJson: boolean
  readonly payload: Uint8Array | LargeOutcome
}

/** It is read as it is asked for. */
interface LargeOutcome {
  readonly bytes: number
  readonly chunks: AsyncGenerator<Uint8Array>
}

/** Undefined for a job that has not ended; "forgotten" when the store has it no more. */
export async function readOutcome(
  job: Job,
  keeper: Keeper,
  payloads: StoredPayloads,
): Promise<StoredOutcome | "forgotten" | undefined> {
  const { outcome: kind, large } = job.step
  if (job.phase !== "ended" || kind === undefined) return undefined
  const about = { status: jobStatus(job), kind, isJson: job.record.isJson }
  if (large !== undefined) {
    const chunks = payloads.read(`the result of the job ${job.id}`, large)
    return { ...about, payload: { bytes: large.bytes, chunks } }
  }
  const payload = await keeper.body(keysOf(job.id).step)
  return payload === undefined ? "forgotten" : { ...about, payload }
}
