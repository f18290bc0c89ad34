import { describe, expect, test } from "bun:test"
import { Agenda, type Entry } from "../../../server/jobs/agenda.ts"
import { FakeClock } from "../../support/fake-clock.ts"
import { randomFrom } from "../../support/random.ts"

describe("Agenda", () => {
  test("does things in the order of their times, each at its time and once", () => {
    const clock = new FakeClock()
    const agenda = new Agenda(clock)
    const done: string[] = []
    for (const ms of [300, 100, 200, 100_000]) {
      agenda.add(clock.now() + ms, () => done.push(`${ms} at ${clock.now()}`))
    }
    clock.advance(99)
    expect(done).toEqual([])
    clock.advance(1_000_000)
    expect(done).toEqual(["100 at 1100", "200 at 1200", "300 at 1300", "100000 at 101000"])
    expect([agenda.size, clock.armed]).toEqual([0, 0])
  })

  test("forgets what was removed; removing twice, or what was done, is fine", () => {
    const clock = new FakeClock()
    const agenda = new Agenda(clock)
    const done: string[] = []
    const first = agenda.add(clock.now() + 1, () => done.push("first"))
    const second = agenda.add(clock.now() + 2, () => done.push("second"))
    agenda.remove(second)
    agenda.remove(second)
    clock.advance(10)
    agenda.remove(first)
    expect(done).toEqual(["first"])
    expect(agenda.size).toBe(0)
  })

  test("goes on after something that throws", () => {
    const clock = new FakeClock()
    const agenda = new Agenda(clock)
    let isDone = false
    agenda.add(clock.now() + 1, () => {
      throw new Error("bad entry")
    })
    agenda.add(clock.now() + 2, () => (isDone = true))
    expect(() => clock.advance(1)).toThrow("bad entry")
    clock.advance(10)
    expect(isDone).toBe(true)
  })

  test("looks again within half a minute: a clock that was set forward is noticed", () => {
    const clock = new FakeClock()
    let shiftMs = 0
    const shifted = {
      now: () => clock.now() + shiftMs,
      after: clock.after.bind(clock),
    }
    const agenda = new Agenda(shifted)
    let isDone = false
    agenda.add(shifted.now() + 3_600_000, () => (isDone = true))
    shiftMs = 3_600_000
    clock.advance(30_000)
    expect(isDone).toBe(true)
  })

  test("stopped does nothing any more", () => {
    const clock = new FakeClock()
    const agenda = new Agenda(clock)
    agenda.add(clock.now() + 1, () => {
      throw new Error("too late")
    })
    agenda.stop()
    clock.advance(10)
    expect(agenda.size).toBe(0)
  })

  test("agrees with a sorted list, whatever is added and removed", () => {
    const random = randomFrom(7)
    for (let round = 0; round < 50; round++) {
      const clock = new FakeClock()
      const agenda = new Agenda(clock)
      const expected = new Map<Entry, number>()
      const done: number[] = []
      for (let i = 0; i < 60; i++) {
        const at = clock.now() + 1 + Math.floor(random() * 40)
        expected.set(
          agenda.add(at, () => done.push(at)),
          at,
        )
        const entries = [...expected.keys()]
        const removed = entries[Math.floor(random() * entries.length)]
        if (random() < 0.4 && removed !== undefined) {
          agenda.remove(removed)
          expected.delete(removed)
        }
      }
      expect(agenda.size).toBe(expected.size)
      clock.advance(100)
      expect(done).toEqual([...expected.values()].toSorted((a, b) => a - b))
    }
  })
})
