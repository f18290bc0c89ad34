/** One number that a scenario measures, once a round. */
interface Figure {
  readonly name: string
  readonly unit: "us" | "ms" | "calls/s" | "MB"
  /** One measurement. Replies are verified; a lost or wrong one throws. */
  readonly measure: () => Promise<number>
}

/** A figure against others of the same run; only such ratios are ever judged. */
interface Ratio {
  readonly name: string
  readonly of: string
  /** Their values are added up. */
  readonly to: readonly string[]
  readonly goal: Goal
}

/** A figure that is judged by itself, where nothing in the run can be compared with it. */
interface Bound {
  readonly name: string
  readonly goal: Goal
}

export type Goal = { readonly atLeast: number } | { readonly atMost: number }

/** What one scenario brings: figures to measure in alternating order, and how to judge them. */
export interface Scenario {
  readonly name: string
  readonly figures: readonly Figure[]
  readonly ratios: readonly Ratio[]
  readonly bounds?: readonly Bound[]
}

export function isMet(value: number, goal: Goal): boolean {
  return "atLeast" in goal ? value >= goal.atLeast : value <= goal.atMost
}

export function showGoal(goal: Goal): string {
  return "atLeast" in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`
}
