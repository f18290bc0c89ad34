import type { Scenario } from "../figure.ts"
import { allAtOnce } from "../load.ts"
import type { Stage } from "./index.ts"

/** Calls that wait overlap: together they take as long as one. */
export function sleeps({ subject, extent }: Stage): Scenario {
  const onLoop = "10,000 async sleeps of 1 s"
  const onThreads = "64 sync sleeps of 1 s"
  return {
    name: "sleeps",
    roundsMax: extent.isQuick ? 1 : 3,
    figures: [
      {
        name: onLoop,
        unit: "ms",
        measure: () => allAtOnce(() => subject.asyncSleep(1), 10_000),
      },
      {
        name: onThreads,
        unit: "ms",
        measure: () => allAtOnce(() => subject.syncSleep.async(1), 64),
      },
    ],
    bounds: [
      { name: onLoop, goal: { atMost: 1_250 } },
      { name: onThreads, goal: { atMost: 1_150 } },
    ],
  }
}
