import type { Figure, Ratio, Scenario } from "../figure.ts"
import { inFlight, inFlightTimed } from "../load.ts"
import type { Stage } from "./index.ts"

/** Calls per second with a number of calls in flight, against one NATS message per call. */
export function flight(stage: Stage, flights: number): Scenario {
  const { subject, floors, peers, extent } = stage
  const { turns } = extent
  const ms = extent.flightMs / turns
  const ours = awaitedCalls(flights)
  const bare = `bare nats.request(), ${flights} in flight`
  const moleculer = `Moleculer over NATS, ${flights} in flight`
  const figures: Figure[] = [
    rate(ours, () => inFlight(subject.call, flights, ms)),
    rate(bare, () => inFlight(() => floors.nats(), flights, ms)),
  ]
  const ratios: Ratio[] = [
    { name: `${ours} / bare nats.request()`, of: ours, to: [bare], goal: goalAt(flights) },
  ]
  if (flights === 256) {
    figures.push(
      rate(moleculer, async () => {
        const { call } = await peers.moleculer()
        return inFlight(call, flights, ms)
      }),
    )
    ratios.push({
      name: `${ours} / Moleculer over NATS`,
      of: ours,
      to: [moleculer],
      goal: { atLeast: 2.5 },
    })
  }
  return { name: `${flights} calls in flight`, turns, figures, ratios }
}

/** The whole curve, for the report. */
export function flightCurve({ subject, floors, extent }: Stage): Scenario {
  return {
    name: "1 to 4,096 calls in flight",
    roundsMax: 3,
    figures: CURVE.flatMap((flights) => [
      rate(`curve: awaited calls, ${flights} in flight`, () =>
        inFlightTimed(subject.call, flights, extent.flightMs / 2),
      ),
      rate(`curve: sync calls, ${flights} in flight`, () =>
        inFlightTimed(subject.callSync, flights, extent.flightMs / 2),
      ),
      rate(`curve: bare nats.request(), ${flights} in flight`, () =>
        inFlightTimed(() => floors.nats(), flights, extent.flightMs / 2),
      ),
    ]),
  }
}

export function awaitedCalls(flights: number): string {
  return `awaited calls, ${flights} in flight`
}

export function rate(name: string, measure: Figure["measure"]): Figure {
  return { name, unit: "calls/s", measure }
}

export const CURVE: readonly number[] = [1, 4, 16, 64, 256, 1_024, 4_096]

function goalAt(flights: number): Ratio["goal"] {
  if (flights >= 256) return { atLeast: 2.5 }
  return { atLeast: flights >= 64 ? 1.5 : 1.1 }
}
