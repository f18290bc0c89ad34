import { describe, expect, test } from "bun:test"
import { Call } from "../../../server/calls/call.ts"
import { Outcomes } from "../../../server/calls/outcomes.ts"
import { Lab } from "../../support/lab.ts"

let time = 0
const lab = new Lab()
const call = new Call(lab.caller, 1, lab.route, 1)
const make = () => new Outcomes({ ttlMs: 100, countMax: 3, bytesMax: 100, now: () => time })
const outcome = (bytes: number) => ({ digest: "d", batch: new Uint8Array(bytes), call })

describe("Outcomes", () => {
  test("keeps so many, and lets the oldest go", () => {
    const outcomes = make()
    for (const id of ["a", "b", "c", "d"]) outcomes.add(id, outcome(1))
    expect([outcomes.size, outcomes.get("a"), outcomes.get("d")?.digest]).toEqual([
      3,
      undefined,
      "d",
    ])
  })

  test("keeps so many bytes, and nothing that is larger", () => {
    const outcomes = make()
    outcomes.add("a", outcome(60))
    outcomes.add("b", outcome(40))
    expect(outcomes.size).toBe(2)
    outcomes.add("c", outcome(60))
    expect([outcomes.get("a"), outcomes.size]).toEqual([undefined, 2])
    outcomes.add("d", outcome(101))
    expect([outcomes.get("d"), outcomes.size]).toEqual([undefined, 2])
    outcomes.add("c", outcome(10))
    outcomes.add("e", outcome(50))
    expect(outcomes.size).toBe(3)
  })

  test("keeps each for its time", () => {
    const outcomes = make()
    time = 0
    outcomes.add("a", outcome(1))
    time = 60
    outcomes.add("b", outcome(1))
    time = 100
    expect([outcomes.get("a"), outcomes.get("b")?.digest]).toEqual([undefined, "d"])
    time = 160
    outcomes.add("c", outcome(1))
    expect(outcomes.size).toBe(1)
  })
})
