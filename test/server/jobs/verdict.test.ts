import { describe, expect, test } from "bun:test"
import {
  BunhouseError,
  ERROR_CODES,
  type ErrorCode,
  fromErrorRecord,
} from "../../../protocol/errors.ts"
import { readJobOptions } from "../../../protocol/job.ts"
import { JOB_BACKOFF_MS_FIRST, JOB_BACKOFF_MS_MAX } from "../../../protocol/limits.ts"
import { failed } from "../../../server/jobs/attempt.ts"
import { backoffMs, type Outcome, reasonOf, verdictOf } from "../../../server/jobs/verdict.ts"

const ordinary = readJobOptions({}).plan
const durable = readJobOptions({ durable: true, attempts: 3 }).plan
const nothing = new Uint8Array(0)
const value: Outcome = { kind: "value", payload: nothing }
const thrown: Outcome = { kind: "thrown", payload: nothing }

/** Codes after which the next attempt would certainly end alike. */
const HOPELESS: readonly ErrorCode[] = [
  "INVALID_ARGUMENT",
  "VALUE_NOT_SENDABLE",
  "PAYLOAD_TOO_LARGE",
  "PROTOCOL_ERROR",
  "NOT_FOUND",
  "STATE_LOST",
]

describe("verdictOf()", () => {
  test("a value is the end of any job", () => {
    for (const plan of [ordinary, durable]) {
      expect(verdictOf(value, plan, 1)).toEqual({ kind: "end", state: "succeeded" })
    }
  })

  test("a throw is the end of an ordinary job; a durable one has its attempts", () => {
    expect(verdictOf(thrown, ordinary, 1)).toEqual({ kind: "end", state: "failed" })
    expect(verdictOf(thrown, durable, 2)).toEqual({ kind: "again" })
    expect(verdictOf(thrown, durable, 3)).toEqual({ kind: "end", state: "failed" })
  })

  test.each(Object.keys(ERROR_CODES))("%s is the end, a failed attempt, or none", (text) => {
    const { code } = fromErrorRecord({ code: text })
    const outcome = failed(new BunhouseError(code, "x"))
    const isNotNow = code === "OVERLOADED" || code === "UNAVAILABLE"
    const end = { kind: "end", state: "failed" } as const
    expect(verdictOf(outcome, ordinary, 1)).toEqual(isNotNow ? { kind: "later" } : end)
    const again = HOPELESS.includes(code) ? end : ({ kind: "again" } as const)
    expect(verdictOf(outcome, durable, 1)).toEqual(isNotNow ? { kind: "later" } : again)
  })

  test("a job that may have run is never taken for one that has not", () => {
    const maybe = failed(new BunhouseError("UNAVAILABLE", "x", { ran: "maybe" }))
    expect(verdictOf(maybe, ordinary, 1)).toEqual({ kind: "end", state: "failed" })
    expect(verdictOf(maybe, durable, 1)).toEqual({ kind: "again" })
  })
})

describe("backoffMs()", () => {
  test("doubles from attempt to attempt up to its bound, half of it random", () => {
    for (const [failures, factor] of [1, 2, 4, 8].entries()) {
      expect(backoffMs(failures + 1, () => 0)).toBe((JOB_BACKOFF_MS_FIRST * factor) / 2)
      expect(backoffMs(failures + 1, () => 1)).toBe(JOB_BACKOFF_MS_FIRST * factor)
    }
    expect(backoffMs(100, () => 1)).toBe(JOB_BACKOFF_MS_MAX)
    expect(backoffMs(10_000, () => 0)).toBe(JOB_BACKOFF_MS_MAX / 2)
  })
})

describe("reasonOf()", () => {
  test("says code and message of a platform error, and no more than that of a throw", () => {
    expect(reasonOf(value)).toBeUndefined()
    expect(reasonOf(thrown)).toBe("the function threw")
    expect(reasonOf(failed(new BunhouseError("WORKER_LOST", "gone")))).toBe("WORKER_LOST: gone")
  })
})
