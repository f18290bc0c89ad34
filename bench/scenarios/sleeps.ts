import type { Scenario } from "../figure.ts"
import { allAtOnce } from "../load.ts"
import type { Stage } from "./index.ts"

/** Calls that wait overlap: together they take as long as one. */
export function sleeps({ subject, extent }: Stage): Scenario {
  const onLoop = "10,000 async sleeps of 1 s"
  const onThreads = "64 sync sleeps of 1 s"
  const onNewThreads = "64 sync sleeps of 1 s in an env without threads"
  return {
    name: "sleeps",
    roundsMax: extent.isQuick ? 1 : 3,
    // Other scenarios have run already.
    ...(extent.isQuick && { isWarm: true }),
    figures: [
      {
        name: onLoop,
        unit: "ms",
        measure: () => allAtOnce(() => subject.asyncSleep(1), 10_000),
      },
      {
        name: onThreads,
        unit: "ms",
        measure: async () => {
          // Since the last round they may have ended: threads that idle do.
          await subject.sleepOnThreads(64)
          return await allAtOnce(() => subject.syncSleep.async(1), 64)
        },
      },
      {
        name: onNewThreads,
        unit: "ms",
        measure: () => subject.fresh(({ syncSleep }) => allAtOnce(() => syncSleep.async(1), 64)),
      },
    ],
    bounds: [
      { name: onLoop, goal: { atMost: 1_250 } },
      { name: onThreads, goal: { atMost: 1_150 } },
      { name: onNewThreads, goal: { atMost: 1_150 } },
    ],
  }
}
