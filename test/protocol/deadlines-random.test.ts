import { expect, test } from "bun:test"
import { randomFrom } from "../support/random.ts"
import { type Entry, latest, setUp } from "../support/timed.ts"

test("thousands of entries that come and go are due on time, once, and none is lost (D2)", () => {
  for (let round = 0; round < 40; round++) {
    const seed = Math.floor(Math.random() * 2 ** 32)
    try {
      runRandomly(seed)
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause })
    }
  }
})

function runRandomly(seed: number): void {
  const random = randomFrom(seed)
  const { clock, list, add } = setUp((entry) => {
    waiting.delete(entry)
    if (random() < 0.1) waiting.add(add(someTimeout()))
    const [other] = waiting
    if (random() < 0.1 && other !== undefined) remove(other)
  })
  const waiting = new Set<Entry>()
  const all: Entry[] = []
  const removed = new Set<Entry>()
  const someTimeout = (): number => {
    const scale = [1, 10, 128, 1_000, 60_000, 5_000_000][Math.floor(random() * 6)] ?? 1
    return Math.max(1, Math.ceil(random() * scale))
  }
  const remove = (entry: Entry): void => {
    list.remove(entry)
    waiting.delete(entry)
    removed.add(entry)
  }
  for (let step = 0; step < 500; step++) {
    const choice = random()
    if (choice < 0.6) {
      const entry = add(someTimeout())
      waiting.add(entry)
      all.push(entry)
    } else if (choice < 0.75) {
      const [first] = waiting
      if (first !== undefined) remove(first)
    } else {
      clock.advance(Math.ceil(random() * (random() < 0.1 ? 100_000 : 300)))
      // The model: what should be due by now is gone, and nothing else is.
      for (const entry of waiting) expect(clock.now()).toBeLessThan(latest(entry))
    }
  }
  clock.advance(1e8)
  expect(waiting.size).toBe(0)
  expect(clock.armed).toBe(0)
  for (const entry of all) {
    expect(entry.dueTimes.length).toBe(removed.has(entry) ? 0 : 1)
    for (const time of entry.dueTimes) {
      expect(time).toBeGreaterThanOrEqual(entry.dueAt)
      expect(time).toBeLessThanOrEqual(latest(entry))
    }
  }
}
