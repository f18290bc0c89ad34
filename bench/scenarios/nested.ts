import type { Scenario } from "../figure.ts"
import { inFlight, oneAtATime } from "../load.ts"
import { rate } from "./in-flight.ts"
import type { Stage } from "./index.ts"

/**
 * A function that calls another one in another env. The inner call takes four messages over the broker, the outer one two,
 * and two WebSocket messages: fourteen times through a socket, where a plain call goes six times. One in its own env stays in
 * the process.
 */
export function nested({ subject, extent }: Stage): Scenario {
  const { turns } = extent
  const count = extent.sequentialCalls / turns
  const ms = extent.flightMs / turns
  return {
    name: "nested calls",
    turns,
    figures: [
      { name: NESTED, unit: "us", measure: () => oneAtATime(subject.callNested, count) },
      { name: OWN, unit: "us", measure: () => oneAtATime(subject.callOwn, count) },
      { name: PLAIN, unit: "us", measure: () => oneAtATime(subject.call, count) },
      rate(NESTED_256, () => inFlight(subject.callNested, 256, ms)),
      rate(OWN_256, () => inFlight(subject.callOwn, 256, ms)),
      rate(PLAIN_256, () => inFlight(subject.call, 256, ms)),
    ],
    ratios: [
      {
        name: "call that makes a call / plain call, p50",
        of: NESTED,
        to: [PLAIN],
        goal: { atMost: 3 },
      },
      {
        name: "call that makes a call in its own env / plain call, p50",
        of: OWN,
        to: [PLAIN],
        goal: { atMost: 1.5 },
      },
      {
        name: "calls that make a call in their own env / plain calls, 256 in flight",
        of: OWN_256,
        to: [PLAIN_256],
        goal: { atLeast: 0.4 },
      },
      {
        name: "calls that make a call / plain calls, 256 in flight",
        of: NESTED_256,
        to: [PLAIN_256],
        goal: { atLeast: 0.1 },
      },
    ],
  }
}

const NESTED = "call that makes a call, p50"
const PLAIN = "plain call beside it, p50"
const OWN = "call that makes a call in its own env, p50"
const OWN_256 = "calls that make a call in their own env, 256 in flight"
const NESTED_256 = "calls that make a call, 256 in flight"
const PLAIN_256 = "plain calls beside them, 256 in flight"
