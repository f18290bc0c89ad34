import type { Scenario } from "../figure.ts"
import { residentMegabytes } from "../memory.ts"
import type { Stage } from "./index.ts"

export function idleMemory({ subject }: Stage): Scenario {
  const idle = "resident memory of daemon, broker and one env"
  const thread = "resident memory of a further thread"
  return {
    name: "memory",
    isOrdered: true,
    roundsMax: 3,
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
  let sinceRestart = 0
  return {
    name: "restart",
    isOrdered: true,
    figures: [
      {
        name: untilReady,
        unit: "ms",
        async measure() {
          const start = performance.now()
          const readyMs = await subject.restart()
          await subject.echo(1)
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

export function deploys({ subject }: Stage): Scenario {
  return {
    name: "deploy",
    figures: [
      {
        name: ".to() of a small new function",
        unit: "ms",
        async measure() {
          const start = performance.now()
          await subject.deployAnew("deploys")
          return performance.now() - start
        },
      },
      {
        name: ".to() of an unchanged function",
        unit: "ms",
        async measure() {
          const start = performance.now()
          await subject.deployAgain()
          return performance.now() - start
        },
      },
    ],
  }
}
