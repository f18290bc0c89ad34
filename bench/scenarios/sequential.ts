import type { Scenario } from "../figure.ts"
import { oneAtATime } from "../load.ts"
import type { Stage } from "./index.ts"

export const AWAITED = "awaited call, p50"

/** One call at a time, against the two hops that it consists of. */
export function sequential({ subject, floors, extent }: Stage): Scenario {
  const { turns } = extent
  const count = extent.sequentialCalls / turns
  return {
    name: "one call at a time",
    turns,
    figures: [
      { name: AWAITED, unit: "us", measure: () => oneAtATime(subject.call, count) },
      {
        name: "bare WebSocket echo, p50",
        unit: "us",
        measure: () => oneAtATime(() => floors.webSocket(), count),
      },
      {
        name: "bare nats.request(), p50",
        unit: "us",
        measure: () => oneAtATime(() => floors.nats(), count),
      },
    ],
    ratios: [
      {
        name: "awaited call / (bare WebSocket echo + bare nats.request())",
        of: AWAITED,
        to: ["bare WebSocket echo, p50", "bare nats.request(), p50"],
        goal: { atMost: 1.2 },
      },
    ],
  }
}
