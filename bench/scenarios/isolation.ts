import type { Remote } from "../../client/index.ts"
import type { Figure, Scenario } from "../figure.ts"
import { oneAtATime } from "../load.ts"
import type { Stage } from "./index.ts"

const ALONE = "neighbour alone, p99"

/** What a call of one env notices of an env that misbehaves. */
export function isolation({ subject, extent }: Stage): Scenario {
  const turns = extent.isQuick ? 1 : 4
  const count = extent.sequentialCalls / turns
  const cases = [
    ["loop blocked", subject.blockLoop],
    ["threads full", subject.fillThreads],
    ["crashing", subject.crash],
  ] as const
  return {
    name: "isolation",
    turns,
    figures: [
      { name: ALONE, unit: "us", measure: () => oneAtATime(subject.call, count, 99) },
      ...cases.map(([name, disturb]): Figure => ({
        name: beside(name),
        unit: "us",
        measure: () =>
          during(disturb, name === "threads full" ? 64 : 1, () =>
            oneAtATime(subject.call, count, 99),
          ),
      })),
    ],
    ratios: cases.map(([name]) => ({
      name: `${beside(name)} / alone`,
      of: beside(name),
      to: [ALONE],
      goal: { atMost: 1.5 },
    })),
  }
}

/** Keeps `flights` calls of `disturb` going while `measure` runs. */
async function during<T>(
  disturb: () => Promise<Remote<() => unknown>>,
  flights: number,
  measure: () => Promise<T>,
): Promise<T> {
  const remote = await disturb()
  const over = new AbortController()
  const go = async () => {
    while (!over.signal.aborted) {
      await remote.async().catch(() => {}) // A crash is what was asked for.
      await Bun.sleep(1)
    }
  }
  const going = Array.from({ length: flights }, go)
  try {
    return await measure()
  } finally {
    over.abort()
    await Promise.all(going)
  }
}

function beside(name: string): string {
  return `neighbour of an env that is ${name}, p99`
}
