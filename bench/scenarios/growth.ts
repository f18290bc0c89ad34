import type { Figure, Scenario } from "../figure.ts"
import { inFlight } from "../load.ts"
import type { Subject } from "../subject.ts"
import { rate } from "./in-flight.ts"
import type { Stage } from "./index.ts"

const SMALL = "a daemon with one function, 256 in flight"

/** Throughput beside many envs, functions or connections, against a daemon that has one of each. */
export function growth({ subject, extent }: Stage): Scenario {
  const { envs, functions, connections } = extent.grown
  const { flightMs } = extent
  const cases: readonly (readonly [string, (grown: Subject) => Promise<void>])[] = [
    [`${envs} envs`, (grown) => grown.growEnvs(envs)],
    [`${functions} functions`, (grown) => grown.growFunctions(functions)],
    [`${connections} idle connections`, (grown) => grown.growConnections(connections)],
  ]
  return {
    name: "growth",
    roundsMax: extent.isQuick ? 1 : 3,
    figures: [
      rate(SMALL, () => inFlight(subject.call, 256, flightMs)),
      ...cases.map(([name, grow]): Figure => {
        let grown: Promise<Subject> | undefined
        const start = async () => {
          const other = await subject.another()
          await grow(other)
          return other
        }
        return rate(beside(name), async () => {
          grown ??= start()
          return inFlight((await grown).call, 256, flightMs)
        })
      }),
    ],
    ratios: cases.map(([name]) => ({
      name: `${beside(name)} / one function`,
      of: beside(name),
      to: [SMALL],
      goal: { atLeast: 0.9 },
    })),
  }
}

function beside(name: string): string {
  return `a daemon with ${name}, 256 in flight`
}
