import type { Scenario } from "../figure.ts"
import { oneAtATime } from "../load.ts"
import { residentMegabytes } from "../memory.ts"
import type { Subject } from "../subject.ts"
import type { Stage } from "./index.ts"

export function idleMemory({ subject, extent }: Stage): Scenario {
  const idle = "resident memory of daemon, broker and one env"
  const thread = "resident memory of a further thread"
  return {
    name: "memory",
    isOrdered: true,
    isWarm: true,
    roundsMax: extent.isQuick ? 1 : 3,
    figures: [
      { name: idle, unit: "MB", measure: () => subject.fresh(({ pid }) => memoryOf(pid)) },
      {
        name: thread,
        unit: "MB",
        measure: () =>
          subject.fresh(async ({ pid, sleepOnThreads }) => {
            await sleepOnThreads(1)
            const one = memoryOf(pid)
            await sleepOnThreads(THREADS)
            return (memoryOf(pid) - one) / (THREADS - 1)
          }),
      },
    ],
    bounds: [
      { name: idle, goal: { atMost: 160 } },
      { name: thread, goal: { atMost: 3 } },
    ],
  }
}

/** The daemon's own process and all that it started. */
function memoryOf(pid: number): number {
  return residentMegabytes([pid])
}

const THREADS = 33

export function restart({ subject }: Stage): Scenario {
  const untilReady = "restart until ready"
  const untilResult = "restart until first result of a restored function"
  // A daemon of its own: one that was just started has compiled nothing yet, and all else is measured warm.
  let own: Promise<Subject> | undefined
  let sinceRestart = 0
  return {
    name: "restart",
    isOrdered: true,
    figures: [
      {
        name: untilReady,
        unit: "ms",
        async measure() {
          own ??= subject.another()
          const restarted = await own
          const start = performance.now()
          const readyMs = await restarted.restart()
          await restarted.echo(1)
          sinceRestart = performance.now() - start
          return readyMs
        },
      },
      { name: untilResult, unit: "ms", measure: async () => sinceRestart },
    ],
    bounds: [
      { name: untilReady, goal: { atMost: 150 } },
      { name: untilResult, goal: { atMost: 300 } },
    ],
  }
}

/** The first call of an env that has no process yet. */
export function coldStart({ subject }: Stage): Scenario {
  return {
    name: "cold start",
    figures: [
      {
        name: "first call of a new env",
        unit: "ms",
        async measure() {
          const start = performance.now()
          await subject.deployAnew(`cold-${crypto.randomUUID().slice(0, 8)}`)
          return performance.now() - start
        },
      },
    ],
  }
}

export function deploys({ subject, extent }: Stage): Scenario {
  const anew = ".to() of a small new function, p50"
  const again = ".to() of an unchanged function, p50"
  const times = extent.isQuick ? 10 : 40
  return {
    name: "deploy",
    figures: [
      {
        name: anew,
        unit: "us",
        measure: async () => {
          const sent: Awaited<ReturnType<typeof subject.deployNew>>[] = []
          const measured = await oneAtATime(async () => sent.push(await subject.deployNew()), times)
          for (const one of sent) await one.verified()
          return measured
        },
      },
      { name: again, unit: "us", measure: () => oneAtATime(() => subject.deployAgain(), times) },
    ],
    // What a new one takes beyond its bundling: this one has none.
    bounds: [
      { name: anew, goal: { atMost: 60_000 } },
      { name: again, goal: { atMost: 5_000 } },
    ],
  }
}

/** What a function brings along costs its calls nothing. */
export function bundles({ subject, extent }: Stage): Scenario {
  const inline = "awaited call of an inline function, p50"
  const bundled = "awaited call of a bundled function, p50"
  const count = extent.sequentialCalls / BUNDLE_TURNS
  return {
    name: "bundled function",
    turns: BUNDLE_TURNS,
    figures: [
      { name: inline, unit: "us", measure: () => oneAtATime(subject.callInline, count) },
      { name: bundled, unit: "us", measure: () => oneAtATime(subject.callBundled, count) },
    ],
    ratios: [{ name: "bundled / inline", of: bundled, to: [inline], goal: { atMost: 1.05 } }],
  }
}

/** The two are nearly the same. */
const BUNDLE_TURNS = 10
