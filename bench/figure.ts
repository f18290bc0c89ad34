import type { Histogram } from "hdr-histogram-js"

/** One number that a scenario measures, once a round. */
export interface Figure {
  readonly name: string
  readonly unit: "us" | "ms" | "calls/s" | "items/s" | "jobs/s" | "jobs" | "MB" | "MB/s"
  /** One measurement, of one turn. Replies are verified; a lost or wrong one throws. */
  readonly measure: () => Promise<number | Measured>
}

/** A measurement with what the report draws of it. */
export interface Measured {
  readonly value: number
  /** Latencies in microseconds. */
  readonly latencies?: Histogram
  /** When calls ran, in milliseconds from the start. */
  readonly spans?: readonly Span[]
}

export interface Span {
  readonly startMs: number
  readonly endMs: number
}

/** A figure against others of the same run; only such ratios are ever judged. */
export interface Ratio {
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
  readonly ratios?: readonly Ratio[]
  readonly bounds?: readonly Bound[]
  /**
   * How many times a round goes over the figures, forth and back, each time measuring a share: what a neighbour on the machine
   * does for some seconds then disturbs all of them alike. Default: once. The round's value is the median of its turns.
   */
  readonly turns?: number
  /** Figures that build on each other are always measured in the order given. */
  readonly isOrdered?: true
  /** It leaves much running, and is measured after all that would be disturbed by that. */
  readonly isLast?: true
  /** What is measured is as warm as it gets: no round is thrown away. */
  readonly isWarm?: true
  /** Rounds that are enough, where more would take minutes. Default: as many as the run has. */
  readonly roundsMax?: number
}

export function isMet(value: number, goal: Goal): boolean {
  return "atLeast" in goal ? value >= goal.atLeast : value <= goal.atMost
}

export function showGoal(goal: Goal): string {
  return "atLeast" in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`
}
