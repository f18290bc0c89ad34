import { type Histogram } from "hdr-histogram-js"
import type { Figure, Measured, Scenario, Span } from "./figure.ts"
import { median } from "./load.ts"

/** What the rounds of one figure gave. */
export interface Taken {
  readonly figure: Figure
  readonly values: number[]
  /** Of the last turn. */
  latencies: Histogram | undefined
  spans: readonly Span[] | undefined
}

/**
 * Measures every figure once a round, in alternating order. Round 0 warms up and is thrown away. The rounds of all scenarios
 * are mixed, so that what disturbs the machine for a while falls on one round of each. Short rounds are not: until
 * the others have had theirs, the engine would have given up what it compiled for the scenario.
 */
export async function run(
  scenarios: readonly Scenario[],
  { rounds, areMixed, progress }: RunOptions,
): Promise<Map<string, Taken>> {
  const taken = new Map<string, Taken>()
  const [others, last] = [scenarios.filter((s) => !s.isLast), scenarios.filter((s) => s.isLast)]
  const groups = areMixed ? [others, last] : [...others, ...last].map((scenario) => [scenario])
  for (const group of groups) await runTogether(group, rounds, progress, taken)
  return taken
}

interface RunOptions {
  readonly rounds: number
  readonly areMixed: boolean
  readonly progress: (line: string) => void
}

async function runTogether(
  scenarios: readonly Scenario[],
  rounds: number,
  progress: (line: string) => void,
  taken: Map<string, Taken>,
): Promise<void> {
  for (let round = 0; round <= rounds; round++) {
    for (const scenario of scenarios) {
      if (round > (scenario.roundsMax ?? rounds) || (round === 0 && scenario.isWarm === true))
        continue
      const values = new Map<Figure, number[]>()
      for (let turn = 0; turn < (scenario.turns ?? 1); turn++) {
        for (const figure of inOrder(scenario, round + turn)) {
          progress(`round ${round} of ${rounds}: ${figure.name}`)
          Bun.gc(true) // What the figure before it has left is not cleared away at its cost.
          const measured = await figure.measure()
          const value = typeof measured === "number" ? measured : measured.value
          values.set(figure, [...(values.get(figure) ?? []), value])
          if (round > 0 && typeof measured !== "number") show(takenOf(taken, figure), measured)
        }
      }
      if (round === 0) continue
      for (const [figure, ofTurns] of values) takenOf(taken, figure).values.push(median(ofTurns))
    }
  }
}

/** Every other time backwards, so that no figure always comes after the same other one. */
function inOrder({ figures, isOrdered }: Scenario, time: number): readonly Figure[] {
  return time % 2 === 0 || isOrdered === true ? figures : figures.toReversed()
}

function takenOf(taken: Map<string, Taken>, figure: Figure): Taken {
  const known = taken.get(figure.name)
  const entry = known ?? { figure, values: [], latencies: undefined, spans: undefined }
  taken.set(figure.name, entry)
  return entry
}

function show(entry: Taken, { latencies, spans }: Measured): void {
  entry.latencies = latencies
  entry.spans = spans
}
