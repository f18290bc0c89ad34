import type { LogLine } from "../../client/index.ts"
import type { Scenario } from "../figure.ts"
import { type Call, inFlight } from "../load.ts"
import type { Printing } from "../subject.ts"
import { rate } from "./in-flight.ts"
import type { Stage } from "./index.ts"

const SILENT = "small functions of 50 µs, 1,000 in flight"
const PRINTING = "small functions that print a line, 1,000 in flight"

/** What it costs that each call prints a line, which its caller hears and the env's log keeps. */
export function logs({ subject, extent }: Stage): Scenario {
  // A call takes its 50 µs a thousand times over before the first comes back.
  const ms = extent.isQuick ? 150 : 500
  const lines = new HeardLines()
  let sent: Promise<Printing> | undefined
  const printing = () => (sent ??= subject.printing((line) => lines.add(line)))
  return {
    name: "logs",
    turns: extent.turns,
    figures: [
      rate(SILENT, async () => {
        const { total } = await printing()
        return inFlight(numbered(total), FLIGHTS, ms)
      }),
      rate(PRINTING, async () => {
        const { totalAndPrint } = await printing()
        return inFlight(heard(totalAndPrint), FLIGHTS, ms)
      }),
      rate("silent echoes, 1,000 in flight", async () => {
        const { echo } = await printing()
        return inFlight(numbered(echo), FLIGHTS, ms)
      }),
      rate("echoes that print a line, 1,000 in flight", async () => {
        const { echoAndPrint } = await printing()
        return inFlight(heard(echoAndPrint), FLIGHTS, ms)
      }),
    ],
    ratios: [
      {
        name: "small functions that print a line / that do not",
        of: PRINTING,
        to: [SILENT],
        goal: { atLeast: 0.8 },
      },
    ],
  }

  /** Each call prints a line of its own, which has arrived when it returns. */
  function heard(call: Call): Call {
    return numbered(async (i) => {
      await call(i)
      lines.take(`order ${i}`)
    })
  }
}

/** Calls in flight have numbers of their own. */
function numbered(call: Call): Call {
  let next = 0
  return () => call(next++)
}

/** Lines between their arrival, which is before the reply, and the reply of their call. */
class HeardLines {
  readonly #callIds = new Map<string, string>()
  /** Of the last calls whose line was taken. */
  readonly #taken = new Set<string>()

  add({ text, callId }: LogLine): void {
    this.#callIds.set(text, this.#callIds.has(text) ? TWICE : callId)
  }

  /** Throws unless the line was heard once, and as that of a call of its own. */
  take(text: string): void {
    const callId = this.#callIds.get(text)
    if (callId === undefined || callId === TWICE || this.#taken.has(callId)) {
      throw new Error(`the line "${text}" is lost, was heard twice, or as that of another call`)
    }
    this.#callIds.delete(text)
    this.#taken.add(callId)
    if (this.#taken.size > 2 * FLIGHTS) this.#taken.clear()
  }
}

const TWICE = "twice"
const FLIGHTS = 1_000
