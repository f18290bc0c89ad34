import { describe, expect, test } from "bun:test"
import { checkJobId, readJobOptions } from "../../protocol/job.ts"
import { readJobRecord, readJobStep, readScheduleRecord } from "../../protocol/job-record.ts"
import {
  JOB_ATTEMPTS_DEFAULT,
  JOB_ATTEMPTS_MAX,
  JOB_DELAY_MS_MAX,
  JOB_TTL_MS_DEFAULT,
  JOB_TTL_MS_MAX,
  PROGRESS_MESSAGE_LENGTH_MAX,
} from "../../protocol/limits.ts"
import { decodeProgress, encodeProgress } from "../../protocol/progress.ts"
import { readScheduleSpec } from "../../protocol/schedule.ts"

describe("readJobOptions()", () => {
  test("fills in the defaults: at most once, now, kept for a day", () => {
    expect(readJobOptions({})).toEqual({
      plan: { durable: false, attempts: 1, delayMs: 0, ttlMs: JOB_TTL_MS_DEFAULT },
    })
    expect(readJobOptions({ durable: true }).plan.attempts).toBe(JOB_ATTEMPTS_DEFAULT)
  })

  test("takes each option up to its bound", () => {
    const plan = {
      durable: true,
      attempts: JOB_ATTEMPTS_MAX,
      delayMs: JOB_DELAY_MS_MAX,
      ttlMs: JOB_TTL_MS_MAX,
    }
    const id = "x".repeat(64)
    expect(readJobOptions({ id, ...plan })).toEqual({ id, plan })
  })

  test.each([
    [{ attempts: 2 }, "must be durable"],
    [{ durable: true, attempts: 0 }, "attempts"],
    [{ durable: true, attempts: JOB_ATTEMPTS_MAX + 1 }, "attempts"],
    [{ durable: "yes" }, "durable"],
    [{ delayMs: -1 }, "delayMs"],
    [{ delayMs: JOB_DELAY_MS_MAX + 1 }, "delayMs"],
    [{ delayMs: 1.5 }, "delayMs"],
    [{ ttlMs: 0 }, "ttlMs"],
    [{ ttlMs: JOB_TTL_MS_MAX + 1 }, "ttlMs"],
    [{ delay: 5 }, "unknown field"],
    [{ id: "a b" }, "id of a job"],
    [7, "to be an object"],
  ])("refuses %p", (options, reason) => {
    expect(() => readJobOptions(options)).toThrow(reason)
  })
})

describe("checkJobId()", () => {
  test("takes what may stand in keys and paths, and nothing else", () => {
    for (const id of ["a", "A-z_0", "x".repeat(64)]) checkJobId(id)
    for (const id of ["", "x".repeat(65), "a.b", "a/b", "*", ">", "ü", "a\n", "../x"]) {
      expect(() => checkJobId(id)).toThrow("id of a job")
    }
  })
})

describe("progress", () => {
  test("travels with its message, which is cut to its limit", () => {
    expect(decodeProgress(encodeProgress(0.5))).toEqual({ fraction: 0.5 })
    const message = "ü".repeat(PROGRESS_MESSAGE_LENGTH_MAX + 1)
    expect(decodeProgress(encodeProgress(1, message))).toEqual({
      fraction: 1,
      message: message.slice(1),
    })
  })

  test.each([-0.1, 1.1, Number.NaN, "half", undefined])("is not %p", (fraction) => {
    expect(() => encodeProgress(fraction)).toThrow("from 0 to 1")
  })

  test.each([
    "",
    "{",
    "[]",
    "{}",
    `{"fraction":2}`,
    `{"fraction":"1"}`,
    `{"fraction":1,"message":2}`,
  ])("is undefined for the bytes %p of an env process", (text) => {
    expect(decodeProgress(Buffer.from(text))).toBeUndefined()
  })
})

describe("what the store holds", () => {
  const record = {
    id: "j",
    env: "lab",
    function: "f",
    durable: true,
    attempts: 3,
    delayMs: 0,
    ttlMs: 1,
    timeoutMs: 0,
    isJson: false,
    createdAt: 5,
    schedule: "nightly",
  }
  const step = {
    state: "failed",
    attempts: 2,
    startedAt: 6,
    endedAt: 7,
    progress: { fraction: 1 },
    reason: "x",
    callId: "boot-1",
    outcome: "thrown",
  } as const

  test("comes back as it was written", () => {
    expect(readJobRecord(record)).toEqual(record)
    expect(readJobStep(step)).toEqual(step)
    const spec = {
      cron: "* * * * *",
      env: "lab",
      function: "f",
      timeZone: "UTC",
      job: readJobOptions({}).plan,
    }
    const read = readScheduleRecord({ name: "nightly", isJson: false, spec })
    expect(read).toEqual({ name: "nightly", isJson: false, ...spec })
  })

  test("is refused where a field is missing or of another kind", () => {
    for (const key of ["id", "env", "function", "timeoutMs", "isJson"]) {
      expect(() => readJobRecord({ ...record, [key]: null })).toThrow(key)
    }
    for (const key of ["state", "attempts", "endedAt", "progress", "outcome"]) {
      expect(() => readJobStep({ ...step, [key]: null })).toThrow()
    }
    expect(() => readScheduleSpec({ cron: "x" })).toThrow("env")
  })
})
