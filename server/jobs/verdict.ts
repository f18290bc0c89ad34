import type { BunhouseError, ErrorCode } from "../../protocol/errors.ts"
import type { JobPlan } from "../../protocol/job.ts"
import type { OutcomeKind } from "../../protocol/job-record.ts"
import { JOB_BACKOFF_MS_FIRST, JOB_BACKOFF_MS_MAX } from "../../protocol/limits.ts"
import type { StoredContent } from "../../protocol/stored-content.ts"

/** How an attempt ended. */
export interface Outcome {
  readonly kind: OutcomeKind
  /** As the env process encoded it; for "failed" the JSON record of `error`. */
  readonly payload: Uint8Array
  /** Where it is, when it is too large for one message; `payload` is empty then. */
  readonly large?: StoredContent
  /** With "failed". */
  readonly error?: BunhouseError
}

/** What follows an attempt. */
export type Verdict =
  | { readonly kind: "end"; readonly state: "succeeded" | "failed" }
  /** Another attempt, which counts. */
  | { readonly kind: "again" }
  /** It was none: the platform did not take the call, and nothing ran. */
  | { readonly kind: "later" }

/**
 * Decides what follows an attempt of which `attempts` were begun.
 *
 * An ordinary job is tried again only where nothing ran and the platform said "not now". A durable one also when the
 * function threw or may have run, unless the next attempt would certainly end alike.
 */
export function verdictOf({ kind, error }: Outcome, plan: JobPlan, attempts: number): Verdict {
  if (kind === "value") return { kind: "end", state: "succeeded" }
  if (error?.ran === "no" && NOT_NOW.has(error.code)) return { kind: "later" }
  const isHopeless = error !== undefined && HOPELESS.has(error.code)
  if (!plan.durable || isHopeless || attempts >= plan.attempts)
    return { kind: "end", state: "failed" }
  return { kind: "again" }
}

/** Milliseconds to wait before the next attempt, after `failures` in a row: growing, half of it random. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const waitMs = Math.min(JOB_BACKOFF_MS_FIRST * 2 ** Math.max(0, failures - 1), JOB_BACKOFF_MS_MAX)
  return Math.round(waitMs / 2 + (random() * waitMs) / 2)
}

/** For people. What a function threw is opaque here. */
export function reasonOf({ kind, error }: Outcome): string | undefined {
  if (kind === "value") return undefined
  return error === undefined ? "the function threw" : `${error.code}: ${error.message}`
}

const NOT_NOW: ReadonlySet<ErrorCode> = new Set(["OVERLOADED", "UNAVAILABLE"])

const HOPELESS: ReadonlySet<ErrorCode> = new Set([
  "INVALID_ARGUMENT",
  "VALUE_NOT_SENDABLE",
  "PAYLOAD_TOO_LARGE",
  "PROTOCOL_ERROR",
  "NOT_FOUND",
  "STATE_LOST",
])
