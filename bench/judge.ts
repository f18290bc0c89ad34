import { type Goal, isMet, type Scenario, showGoal } from "./figure.ts"
import { median } from "./load.ts"
import type { Taken } from "./run.ts"

/** One figure or ratio of a run, as it is printed and kept. */
export interface Line {
  readonly name: string
  readonly unit: string
  /** Median of the rounds; for a ratio that of the medians. */
  readonly value: number
  readonly min: number
  readonly max: number
  readonly goal?: string
  readonly verdict?: "met" | "missed"
  /** Against the same line of a baseline. */
  readonly change?: Change
}

interface Change {
  readonly baseline: number
  readonly verdict: "better" | "worse" | "within the noise"
}

export function judge(
  scenarios: readonly Scenario[],
  taken: ReadonlyMap<string, Taken>,
  baseline: ReadonlyMap<string, Line> = new Map(),
): Line[] {
  const lines = scenarios.flatMap(({ figures, ratios = [], bounds = [] }) => [
    ...figures.map(({ name, unit }) => {
      const bound = bounds.find((candidate) => candidate.name === name)
      return lineOf(name, unit, taken.get(name)?.values ?? [], bound?.goal)
    }),
    ...ratios
      .filter(({ of, to }) => [of, ...to].every((name) => taken.has(name)))
      .map(({ name, of, to, goal }) => lineOf(name, "ratio", ratiosOf(taken, of, to), goal)),
  ])
  return lines.map((line) => {
    const before = baseline.get(line.name)
    return before === undefined ? line : { ...line, change: changeOf(line, before) }
  })
}

/** Round by round, so that what disturbed one round disturbs both sides of its ratio. */
function ratiosOf(taken: ReadonlyMap<string, Taken>, of: string, to: readonly string[]): number[] {
  const rounds = (name: string) => taken.get(name)?.values ?? []
  const floor = (i: number) => to.reduce((sum, name) => sum + (rounds(name)[i] ?? Number.NaN), 0)
  return rounds(of).map((value, i) => value / floor(i))
}

function lineOf(name: string, unit: string, values: readonly number[], goal?: Goal): Line {
  const digits = unit === "ratio" ? 2 : 1
  const round = (value: number) => Number(value.toFixed(digits))
  const rounded = values.map(round)
  const value = round(median(values))
  return {
    name,
    unit,
    value,
    min: Math.min(...rounded),
    max: Math.max(...rounded),
    ...(goal !== undefined && {
      goal: showGoal(goal),
      verdict: isMet(value, goal) ? "met" : "missed",
    }),
  }
}

/**
 * A change counts only when the rounds of both runs do not overlap and the medians differ by more than a tenth: less than
 * that a busy machine does by itself.
 */
function changeOf(now: Line, before: Line): Change {
  const isApart = now.min > before.max || now.max < before.min
  const isNoise = !isApart || Math.abs(now.value - before.value) <= before.value / 10
  if (isNoise) return { baseline: before.value, verdict: "within the noise" }
  const isMore = now.value > before.value
  const isBetter = MORE_IS_BETTER.has(now.unit) || now.goal?.startsWith("≥") ? isMore : !isMore
  return { baseline: before.value, verdict: isBetter ? "better" : "worse" }
}

const MORE_IS_BETTER = new Set(["calls/s", "items/s", "jobs/s", "MB/s"])

export function showLine({ name, value, unit, min, max, goal, verdict, change }: Line): string {
  const spread = min === max ? "" : `  (${min} … ${max})`
  const judged = goal === undefined ? "" : `  goal ${goal}: ${verdict}`
  const compared = change === undefined ? "" : `  was ${change.baseline}: ${change.verdict}`
  return `${name.padEnd(66)} ${String(value).padStart(10)} ${unit}${spread}${judged}${compared}`
}
