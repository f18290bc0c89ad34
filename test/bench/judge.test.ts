import { describe, expect, test } from "bun:test"
import type { Figure, Scenario } from "../../bench/figure.ts"
import { judge, type Line } from "../../bench/judge.ts"
import { median } from "../../bench/load.ts"
import type { Taken } from "../../bench/run.ts"

function figure(name: string): Figure {
  return { name, unit: "calls/s", measure: async () => 0 }
}

function takenOf(rounds: Record<string, number[]>): Map<string, Taken> {
  return new Map(
    Object.entries(rounds).map(([name, values]) => [
      name,
      { figure: figure(name), values, latencies: undefined, spans: undefined },
    ]),
  )
}

function verdictOn(ours: number): string | undefined {
  const lines = judge([SCENARIO], takenOf({ ours: [ours], floor: [100] }))
  return lineOf(lines, "ours / floor")?.verdict
}

const SCENARIO: Scenario = {
  name: "s",
  figures: [figure("ours"), figure("floor")],
  ratios: [{ name: "ours / floor", of: "ours", to: ["floor"], goal: { atLeast: 2 } }],
}

function lineOf(lines: readonly Line[], name: string): Line | undefined {
  return lines.find((line) => line.name === name)
}

describe("judge()", () => {
  test("takes the median of the ratios of each round, not the ratio of the medians", () => {
    // A stall in the last round hits both sides.
    const lines = judge([SCENARIO], takenOf({ ours: [300, 400, 30], floor: [100, 100, 10] }))
    expect(lineOf(lines, "ours / floor")).toMatchObject({ value: 3, min: 3, max: 4 })
  })

  test("says whether the goal is met", () => {
    expect(verdictOn(200)).toBe("met")
    expect(verdictOn(198)).toBe("missed")
  })

  test("passes over a ratio whose floor was not measured", () => {
    expect(lineOf(judge([SCENARIO], takenOf({ ours: [1] })), "ours / floor")).toBeUndefined()
  })

  test.each([
    [[100, 102, 104], "within the noise"],
    [[150, 160, 170], "better"],
    [[50, 60, 70], "worse"],
    // The medians are far apart, but the rounds overlap.
    [[90, 200, 210], "within the noise"],
  ] as const)("compares rounds of %p with a baseline of 90 to 110 calls/s: %s", (ours, verdict) => {
    const before = judge([SCENARIO], takenOf({ ours: [90, 100, 110], floor: [100] }))
    const baseline = new Map(before.map((line) => [line.name, line]))
    const lines = judge([SCENARIO], takenOf({ ours: [...ours], floor: [100] }), baseline)
    expect(lineOf(lines, "ours")?.change).toEqual({ baseline: 100, verdict })
  })
})

describe("median()", () => {
  test.each([
    [[3], 3],
    [[5, 1], 3],
    [[9, 1, 4], 4],
    [[8, 2, 4, 6], 5],
  ])("of %p is %p", (values, middle) => expect(median(values)).toBe(middle))

  test("of nothing is not a number", () => expect(median([])).toBeNaN())
})
