import type { Figure, Scenario } from "../figure.ts"
import type { Stage } from "./index.ts"

/** Items per second through one stream, from a generator that never waits to a reader that does nothing else. */
export function streams({ subject, extent }: Stage): Scenario {
  const items = extent.isQuick ? 200_000 : 1_000_000
  const rate = (name: string, read: () => AsyncIterable<number> | Iterable<number>): Figure => ({
    name,
    unit: "items/s",
    measure: async () => {
      const start = performance.now()
      let next = 0
      for await (const item of read()) {
        if (item !== next++) throw new Error(`expected item ${next - 1}, got ${String(item)}`)
      }
      if (next !== items) throw new Error(`expected ${items} items, got ${next}`)
      return (items * 1_000) / (performance.now() - start)
    },
  })
  return {
    name: "streams",
    figures: [
      rate(ON_LOOP, () => subject.count(items)),
      rate("items of a sync generator, awaited", () => subject.countSync.async(items)),
      rate("items of an async generator, blocking", () => subject.count.sync(items)),
      rate("items of a local async generator", () => localCount(items)),
    ],
    bounds: [{ name: ON_LOOP, goal: { atLeast: 300_000 } }],
  }
}

async function* localCount(n: number): AsyncGenerator<number> {
  for (let i = 0; i < n; i++) yield i
}

const ON_LOOP = "items of an async generator, awaited"
