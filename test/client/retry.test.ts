import { describe, expect, test } from "bun:test"
import { Attempts, type AttemptsParts, readRetries, RetryBudget } from "../../client/retry.ts"
import { BunhouseError, type BunhouseErrorOptions, type ErrorCode } from "../../protocol/errors.ts"
import { RETRY_BUDGET_MAX, RETRY_WAIT_MS_MAX } from "../../protocol/limits.ts"
import { refusal } from "../support/sent.ts"

let time = 0
const clock = () => time

function attempts(more: Partial<AttemptsParts> = {}): Attempts {
  return new Attempts({
    policy: { max: 3, baseMs: 100 },
    budget: new RetryBudget(clock),
    timeoutMs: 0,
    hasKey: false,
    now: clock,
    random: () => 1,
    ...more,
  })
}

function error(code: ErrorCode, more: BunhouseErrorOptions = {}): BunhouseError {
  return new BunhouseError(code, "…", more)
}

describe("Attempts", () => {
  test.each(["OVERLOADED", "UNAVAILABLE", "NO_DAEMON"] as const)("tries %s again", (code) => {
    expect(attempts().waitAfter(error(code))).toBe(100)
  })

  test.each(["WORKER_LOST", "BROKER_LOST"] as const)(
    "tries %s again where nothing ran, or with a key (N1)",
    (code) => {
      expect(attempts().waitAfter(error(code))).toBeUndefined()
      expect(attempts().waitAfter(error(code, { ran: "no" }))).toBe(100)
      expect(attempts({ hasKey: true }).waitAfter(error(code))).toBe(100)
    },
  )

  test("tries DAEMON_LOST again with a key, and where it is known which daemon had the call", () => {
    const lost = error("DAEMON_LOST")
    const known = attempts({ hasKey: true })
    known.lost(lost, "boot")
    known.lost(lost, "another")
    expect([known.waitAfter(lost), known.lostBoot]).toEqual([100, "boot"])
    // Now it is the daemon that says so.
    expect(known.waitAfter(lost)).toBeUndefined()
    const unknown = attempts({ hasKey: true })
    unknown.lost(lost, "")
    unknown.lost(error("WORKER_LOST"), "boot")
    expect([unknown.waitAfter(lost), unknown.lostBoot]).toEqual([undefined, undefined])
    const keyless = attempts()
    keyless.lost(lost, "boot")
    expect(keyless.waitAfter(lost)).toBeUndefined()
  })

  test.each([
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ENV_FAILED",
    "DEADLINE_EXCEEDED",
    "CANCELLED",
    "IDEMPOTENCY_CONFLICT",
    "DEADLOCK",
    "INTERNAL",
  ] as const)("never tries %s again", (code) => {
    expect(attempts({ hasKey: true }).waitAfter(error(code, { ran: "no" }))).toBeUndefined()
  })

  test("never tries again what the function itself threw", () => {
    expect(attempts({ hasKey: true }).waitAfter(new Error("mine"))).toBeUndefined()
    expect(attempts({ hasKey: true }).waitAfter("mine")).toBeUndefined()
    const inner = Object.assign(error("OVERLOADED"), { remote: {} })
    expect(attempts({ hasKey: true }).waitAfter(inner)).toBeUndefined()
  })

  test("waits longer each time, at random, and gives up after `max`", () => {
    const some = attempts({ random: () => 0.5 })
    const waits = Array.from({ length: 4 }, () => some.waitAfter(error("OVERLOADED")))
    expect(waits).toEqual([50, 100, 200, undefined])
    const long = attempts({ policy: { max: 20, baseMs: 1_000 } })
    for (let i = 0; i < 10; i++) long.waitAfter(error("OVERLOADED"))
    expect(long.waitAfter(error("OVERLOADED"))).toBe(RETRY_WAIT_MS_MAX)
  })

  test("waits for what the error asks for, and not for hours", () => {
    const patient = attempts({ random: () => 0 })
    expect(patient.waitAfter(error("OVERLOADED", { retryAfterMs: 700 }))).toBe(700)
    expect(patient.waitAfter(error("OVERLOADED", { retryAfterMs: 1e9 }))).toBeUndefined()
  })

  test("keeps to the deadline of the whole (N2)", () => {
    time = 0
    const some = attempts({ timeoutMs: 250 })
    expect(some.timeoutMs).toBe(250)
    time = 100
    expect(some.timeoutMs).toBe(150)
    expect(some.waitAfter(error("OVERLOADED"))).toBe(100)
    time = 200
    expect(some.waitAfter(error("OVERLOADED"))).toBeUndefined()
    time = 1_000
    expect(some.timeoutMs).toBe(1)
    expect(attempts().timeoutMs).toBe(0)
  })

  test("never says that a call did not run when an earlier attempt may have (N4)", () => {
    const some = attempts({ hasKey: true })
    some.waitAfter(error("WORKER_LOST"))
    const end = some.endOf(error("OVERLOADED", { retryAfterMs: 5 }))
    expect(end).toMatchObject({ code: "OVERLOADED", ran: "maybe", retryAfterMs: 5 })
    expect(attempts().endOf(error("OVERLOADED"))).toMatchObject({ ran: "no" })
    expect(some.endOf("mine")).toBe("mine")
  })
})

describe("RetryBudget", () => {
  test("lets a burst through, and then a tenth of the calls (N3)", () => {
    const budget = new RetryBudget(clock)
    let burst = 0
    while (budget.spend()) burst++
    expect(burst).toBe(RETRY_BUDGET_MAX)
    let retries = 0
    for (let call = 0; call < 1_000; call++) {
      budget.earn()
      if (budget.spend()) retries++
    }
    expect(retries).toBeGreaterThanOrEqual(98)
    expect(retries).toBeLessThanOrEqual(100)
  })

  test("fills with time, up to its bound", () => {
    time = 0
    const budget = new RetryBudget(clock)
    while (budget.spend());
    time = 3_000
    expect([budget.spend(), budget.spend(), budget.spend(), budget.spend()]).toEqual([
      true,
      true,
      true,
      false,
    ])
    time = 1e9
    let burst = 0
    while (budget.spend()) burst++
    expect(burst).toBe(RETRY_BUDGET_MAX)
  })

  test("is shared by the calls that have it", () => {
    const budget = new RetryBudget(clock)
    let retries = 0
    for (let call = 0; call < 200; call++) {
      const some = attempts({ budget })
      while (some.waitAfter(error("UNAVAILABLE")) !== undefined) retries++
    }
    expect(retries).toBeLessThanOrEqual(RETRY_BUDGET_MAX + 20)
  })
})

describe("options for retries", () => {
  test("are read with their defaults", () => {
    expect(readRetries(undefined)).toBeUndefined()
    expect(readRetries({ max: 0 })).toBeUndefined()
    expect(readRetries({ max: 2 })).toEqual({ max: 2, baseMs: 100 })
  })

  test.each([
    { max: -1 },
    { max: 21 },
    { max: 1.5 },
    { max: 1, baseMs: -1 },
    { max: 1, baseMs: 1e9 },
  ])("%p are refused", (options) => void refusal("INVALID_ARGUMENT", () => readRetries(options)))
})
