import type { Figure, Scenario } from "../figure.ts"
import { inFlight } from "../load.ts"
import type { Subject } from "../subject.ts"
import { rate } from "./in-flight.ts"
import type { Stage } from "./index.ts"

const SMALL = beside("one function")

/** Throughput beside many envs, functions or connections, against a daemon that is as new and has one of each. */
export function growth({ subject, extent }: Stage): Scenario {
  const { envs, functions, connections } = extent.grown
  const { turns } = extent
  const grown = (name: string, grow: (other: Subject) => Promise<void>): Figure => {
    let ready: Promise<Subject> | undefined
    const start = async () => {
      const other = await subject.another()
      await grow(other)
      await inFlight(other.call, 256, WARM_UP_MS)
      return other
    }
    return rate(name, async () => {
      ready ??= start()
      return inFlight((await ready).call, 256, extent.flightMs / turns)
    })
  }
  const cases = [
    grown(beside(`${envs} envs`), (other) => other.growEnvs(envs)),
    grown(beside(`${functions} functions`), (other) => other.growFunctions(functions)),
    grown(beside(`${connections} idle connections`), (other) => other.growConnections(connections)),
  ]
  return {
    name: "growth",
    isLast: true,
    turns,
    roundsMax: 3,
    figures: [grown(SMALL, async () => {}), ...cases],
    ratios: cases.map(({ name }) => ({
      name: `${name} / one function`,
      of: name,
      to: [SMALL],
      goal: { atLeast: 0.9 },
    })),
  }
}

function beside(what: string): string {
  return `a daemon with ${what}, 256 in flight`
}

const WARM_UP_MS = 300
