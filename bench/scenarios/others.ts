import type { Figure, Scenario } from "../figure.ts"
import { type Call, inFlight, oneAtATime } from "../load.ts"
import * as workload from "../workload.ts"
import { rate } from "./in-flight.ts"
import type { Stage } from "./index.ts"

/** Those that leave the process; a direct call is a hundred times as fast as all of them. */
export const WAYS_OUT: readonly string[] = [
  "bunhouse",
  "NATS multiplexed by hand",
  "NATS services",
  "Moleculer",
  "Elysia alone",
]

export function besideOthers(way: string): string {
  return `${way}, 256 in flight beside the others`
}

/** The same echo by other ways to reach a function: from a plain call to what people build by hand. */
export function others({ subject, floors, peers, extent }: Stage): Scenario {
  const { turns } = extent
  const ways: Readonly<Record<string, () => Promise<Call>>> = {
    bunhouse: async () => subject.call,
    "direct call": async () => workload.echoed,
    "NATS multiplexed by hand": async () => floors.multiplexed,
    "NATS services": async () => (await peers.natsMicro()).call,
    Moleculer: async () => (await peers.moleculer()).call,
    "Elysia alone": async () => (await peers.elysia()).call,
  }
  return {
    name: "other ways to call",
    turns,
    figures: Object.entries(ways).flatMap(([way, call]): Figure[] => [
      rate(besideOthers(way), async () => inFlight(await call(), 256, extent.flightMs / turns)),
      {
        name: `${way}, one at a time beside the others, p50`,
        unit: "us",
        measure: async () => oneAtATime(await call(), extent.sequentialCalls / turns),
      },
    ]),
  }
}
