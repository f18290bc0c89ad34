import type { Scenario } from "../figure.ts"
import { inFlight, openLoop } from "../load.ts"
import type { Stage } from "./index.ts"

/** Latency at a steady rate, counted from the moment a call was meant to start. */
export function openLoopRate({ subject, extent }: Stage): Scenario {
  return {
    name: "open loop",
    figures: [1_000, 10_000, 50_000].flatMap((rate) =>
      [50, 99].map((quantile) => ({
        name: `open loop at ${rate} calls/s, p${quantile}`,
        unit: "us" as const,
        measure: () => openLoop(subject.call, rate, extent.flightMs, quantile),
      })),
    ),
  }
}

/** A caller with 16 calls in flight beside one with 1,024: what the small one gets of what it has alone. */
export function fairness({ subject, extent }: Stage): Scenario {
  const { flightMs } = extent
  const alone = "16 in flight, alone"
  const beside = "16 in flight, beside a caller with 1,024"
  return {
    name: "fairness",
    figures: [
      { name: alone, unit: "calls/s", measure: () => inFlight(subject.call, 16, flightMs) },
      {
        name: beside,
        unit: "calls/s",
        async measure() {
          const [calls] = await Promise.all([
            inFlight(subject.call, 16, flightMs),
            inFlight(subject.otherCall, 1_024, flightMs),
          ])
          return calls
        },
      },
    ],
  }
}
