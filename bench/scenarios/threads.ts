import type { Scenario } from "../figure.ts"
import { inFlight } from "../load.ts"
import { rate } from "./in-flight.ts"
import type { Stage } from "./index.ts"

/** Sync functions on threads: against async ones, and against pools that never leave the process. */
export function threads({ subject, peers, extent }: Stage): Scenario {
  const { turns } = extent
  // Threads start during the first calls, and compile for themselves.
  const ms = Math.max(400, extent.flightMs) / turns
  const async256 = "async echo beside it, 256 in flight"
  return {
    name: "threads",
    turns,
    figures: [
      rate(at(256), () => inFlight(subject.callSync, 256, ms)),
      rate(async256, () => inFlight(subject.call, 256, ms)),
      rate(at(64), () => inFlight(subject.callSync, 64, ms)),
      rate("Piscina in process, 64 in flight", async () =>
        inFlight((await peers.piscina()).call, 64, ms),
      ),
      rate("tinypool in process, 64 in flight", async () =>
        inFlight((await peers.tinypool()).call, 64, ms),
      ),
    ],
    ratios: [
      {
        name: "sync echo / async echo, 256 in flight",
        of: at(256),
        to: [async256],
        goal: { atLeast: 0.6 },
      },
      {
        name: "sync echo / Piscina in process, 64 in flight",
        of: at(64),
        to: ["Piscina in process, 64 in flight"],
        goal: { atLeast: 1 },
      },
    ],
  }
}

function at(flights: number): string {
  return `sync echo, ${flights} in flight`
}
