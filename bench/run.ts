import { type Histogram } from "hdr-histogram-js"
import type { Figure, Scenario, Span } from "./figure.ts"

/** What the rounds of one figure gave. */
export interface Taken {
  readonly figure: Figure
  readonly values: number[]
  /** Of the last round. */
  latencies: Histogram | undefined
  spans: readonly Span[] | undefined
}

/** Measures every figure once a round, in alternating order. Round 0 warms up and is thrown away. */
export async function run(
  scenarios: readonly Scenario[],
  rounds: number,
  progress: (line: string) => void,
): Promise<Map<string, Taken>> {
  const taken = new Map<string, Taken>()
  for (let round = 0; round <= rounds; round++) {
    for (const { figures, isOrdered = false, roundsMax = rounds } of scenarios) {
      if (round > roundsMax) continue
      // Every other round runs backwards, so that no figure always comes after the same other one.
      const order = round % 2 === 0 || isOrdered ? figures : figures.toReversed()
      for (const figure of order) {
        progress(`round ${round} of ${rounds}: ${figure.name}`)
        const measured = await figure.measure()
        if (round > 0) take(taken, figure, measured)
      }
    }
  }
  return taken
}

function take(
  taken: Map<string, Taken>,
  figure: Figure,
  measured: Awaited<ReturnType<Figure["measure"]>>,
): void {
  const known = taken.get(figure.name)
  const entry = known ?? { figure, values: [], latencies: undefined, spans: undefined }
  taken.set(figure.name, entry)
  if (typeof measured === "number") {
    entry.values.push(measured)
  } else {
    entry.values.push(measured.value)
    entry.latencies = measured.latencies
    entry.spans = measured.spans
  }
}
