import { describe, expect, test } from "bun:test"
import * as deadlines from "../../protocol/deadlines.ts"
import { checkTimeoutMs, Deadlines, now, remainingMs } from "../../protocol/deadlines.ts"
import { CALL_TIMEOUT_MS_DEFAULT, CALL_TIMEOUT_MS_MAX } from "../../protocol/limits.ts"
import { FakeClock } from "../support/fake-clock.ts"
import { refusal } from "../support/sent.ts"
import { Entry, latest, setUp } from "../support/timed.ts"
import { until } from "../support/until.ts"

describe("Deadlines", () => {
  test("an entry is due once, at its deadline (D2)", () => {
    const { clock, add } = setUp()
    const entry = add(100)
    expect(entry.dueAt).toBe(clock.now() + 100)
    clock.advance(99)
    expect(entry.dueTimes).toEqual([])
    clock.advance(2)
    expect(entry.dueTimes).toEqual([entry.dueAt])
    clock.advance(1e9)
    expect(entry.dueTimes).toHaveLength(1)
    expect(clock.armed).toBe(0)
  })

  test("adding and removing arm no timers: like timeouts share one (D3)", () => {
    const { clock, list, add } = setUp()
    const entries = Array.from({ length: 10_000 }, () => add(30_000))
    expect(clock.armed).toBe(1)
    for (const entry of entries) list.remove(entry)
    for (let i = 0; i < 10_000; i++) list.remove(add(30_000))
    expect(clock.armed).toBe(1)
    clock.advance(40_000)
    expect(clock.armed).toBe(0)
  })

  test("whatever timeouts callers think of, lists are few (D3)", () => {
    const { clock, add } = setUp()
    for (
      let timeoutMs = 1;
      timeoutMs < CALL_TIMEOUT_MS_MAX;
      timeoutMs = Math.ceil(timeoutMs * 1.0007)
    )
      add(timeoutMs)
    expect(clock.armed).toBeLessThan(64 * 32)
    for (let i = 0; i < 20_000; i++) add(300_000 - (i % 1_000))
    expect(clock.armed).toBeLessThan(64 * 32)
  })

  test("adding and removing cost the same among many (D3)", () => {
    const { list, add } = setUp()
    const entries = Array.from({ length: 200_000 }, (_, i) => add(1_000 + (i % 7)))
    const start = performance.now()
    // From the middle, from both ends, and again.
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[(i * 100_003) % entries.length]
      if (entry === undefined) continue
      list.remove(entry)
      list.remove(entry)
    }
    expect(performance.now() - start).toBeLessThan(1_000)
  })

  test("a timeout of 0 is never due, and its entry may be removed all the same", () => {
    const { clock, list, add } = setUp()
    const entry = add(0)
    expect(entry.dueAt).toBe(Number.POSITIVE_INFINITY)
    expect(clock.armed).toBe(0)
    clock.advance(1e12)
    expect(entry.dueTimes).toEqual([])
    list.remove(entry)
    list.remove(new Entry())
  })

  test("the longest timeout is due at its time, not at once", () => {
    const { clock, add } = setUp()
    const entry = add(CALL_TIMEOUT_MS_MAX)
    let timers = 0
    while (entry.dueTimes.length === 0 && timers++ < 100) {
      // The engine's timers are no longer than this; a longer one would fire after a millisecond.
      expect(clock.nextAt - clock.now()).toBeLessThanOrEqual(2 ** 31 - 1)
      clock.advance(clock.nextAt - clock.now())
    }
    expect(timers).toBeLessThan(5)
    expect(entry.dueTimes[0]).toBeGreaterThanOrEqual(entry.dueAt)
    expect(entry.dueTimes[0]).toBeLessThanOrEqual(latest(entry))
  })

  test("a timer that fires early is no reason to be due early (D2)", () => {
    const clock = new FakeClock()
    const due: Entry[] = []
    const early = {
      now: () => clock.now(),
      after: (ms: number, run: () => void) => clock.after(ms * 0.7, run),
    }
    const list = new Deadlines<Entry>((entry) => {
      expect(clock.now()).toBeGreaterThanOrEqual(entry.dueAt)
      due.push(entry)
    }, early)
    for (const timeoutMs of [1, 5, 1_000, 1_001, 100_000]) list.add(new Entry(), timeoutMs)
    clock.advance(200_000)
    expect(due).toHaveLength(5)
  })

  test("a clock that jumps makes all due at once, in the order of their lists", () => {
    const { clock, add } = setUp()
    const entries = [10, 20, 1_000, 10].map((timeoutMs) => add(timeoutMs))
    clock.advance(1e7)
    for (const entry of entries) expect(entry.dueTimes).toHaveLength(1)
  })

  test("onDue may remove any other entry, add new ones, and add the same again", () => {
    const others: Entry[] = []
    const { clock, list, add } = setUp((entry) => {
      for (const other of others.splice(0)) list.remove(other)
      if (entry.dueTimes.length < 3) list.add(entry, entry.timeoutMs)
    })
    const first = add(50)
    const second = add(50)
    const third = add(50)
    others.push(second, first)
    clock.advance(50)
    expect(first.dueTimes).toHaveLength(1)
    expect(second.dueTimes).toHaveLength(0)
    expect(third.dueTimes).toHaveLength(1)
    clock.advance(1_000)
    expect(first.dueTimes).toEqual([first.dueAt - 100, first.dueAt - 50, first.dueAt])
    expect(third.dueTimes).toHaveLength(3)
    expect(clock.armed).toBe(0)
  })

  test("an onDue that throws takes no other entry with it (D2)", () => {
    const { clock, add } = setUp((entry) => {
      if (entry === bad) throw new Error("from onDue")
    })
    const bad = add(100)
    const behind = add(100)
    clock.advance(50)
    const later = add(100)
    expect(() => clock.advance(50)).toThrow("from onDue")
    clock.advance(1_000)
    for (const entry of [bad, behind, later]) expect(entry.dueTimes).toHaveLength(1)
    expect(clock.armed).toBe(0)
  })

  test("a list that ran empty is used again", () => {
    const { clock, list, add } = setUp()
    const removed = add(1_000)
    clock.advance(900)
    list.remove(removed)
    const entry = add(1_000)
    expect(clock.armed).toBe(1)
    clock.advance(999)
    expect(entry.dueTimes).toEqual([])
    clock.advance(20)
    expect(entry.dueTimes).toHaveLength(1)
  })

  test("the engine's clock serves by default, without keeping the process alive", async () => {
    const due: number[] = []
    const list = new Deadlines<Entry>((entry) => void due.push(now() - entry.dueAt))
    for (const timeoutMs of [1, 20, 40]) list.add(new Entry(), timeoutMs)
    list.add(new Entry(), CALL_TIMEOUT_MS_MAX)
    await until(() => due.length === 3, "three entries to be due")
    for (const late of due) expect(late).toBeGreaterThanOrEqual(0)
    const program = `import { Deadlines } from ${JSON.stringify(import.meta.resolve("../../protocol/deadlines.ts"))}
      new Deadlines(() => {}).add({}, 60_000)`
    const { exitCode } = Bun.spawnSync([process.execPath, "-e", program], { timeout: 10_000 })
    expect(exitCode).toBe(0)
  })
})

describe("timeouts on the wire (D1)", () => {
  test("checkTimeoutMs() gives whole milliseconds, rounded up: a fraction never becomes 0", () => {
    expect(checkTimeoutMs(undefined)).toBe(CALL_TIMEOUT_MS_DEFAULT)
    expect(checkTimeoutMs(0)).toBe(0)
    expect(checkTimeoutMs(0.001)).toBe(1)
    expect(checkTimeoutMs(1_500.2)).toBe(1_501)
    expect(checkTimeoutMs(CALL_TIMEOUT_MS_MAX)).toBe(CALL_TIMEOUT_MS_MAX)
    expect(checkTimeoutMs(CALL_TIMEOUT_MS_MAX - 0.5)).toBe(CALL_TIMEOUT_MS_MAX)
  })

  test.each([-1, -0.5, Number.NaN, Number.POSITIVE_INFINITY, CALL_TIMEOUT_MS_MAX + 1, 1e300])(
    "checkTimeoutMs() refuses %p",
    (timeoutMs) => {
      const { message } = refusal("INVALID_ARGUMENT", () => checkTimeoutMs(timeoutMs))
      expect(message).toContain(`got ${timeoutMs}`)
    },
  )

  test("remainingMs() is a whole number, at least 1 while there is a deadline, 0 without one", () => {
    expect(remainingMs(Number.POSITIVE_INFINITY)).toBe(0)
    expect(remainingMs(now() - 10_000)).toBe(1)
    expect(remainingMs(now())).toBe(1)
    const left = remainingMs(now() + 5_000)
    expect(Number.isInteger(left)).toBe(true)
    expect(left).toBeGreaterThan(4_000)
    expect(left).toBeLessThanOrEqual(5_000)
  })

  test("deadlines shrink from hop to hop, whatever the clocks say", () => {
    const dueAt = now() + 100
    const first = remainingMs(dueAt)
    const second = remainingMs(dueAt - 30)
    expect(second).toBeLessThanOrEqual(first)
    // Nothing that this file exports hands out a wall clock time.
    expect(now()).toBeLessThan(Date.now() / 2)
    expect(Object.keys(deadlines).toSorted()).toEqual([
      "Deadlines",
      "checkTimeoutMs",
      "now",
      "remainingMs",
    ])
  })
})
