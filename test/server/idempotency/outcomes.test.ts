import { describe, expect, test } from "bun:test"
import { Call } from "../../../server/calls/call.ts"
import { Outcomes } from "../../../server/idempotency/outcomes.ts"
import { Lab } from "../../support/lab.ts"

let time = 0
const lab = new Lab()
const call = new Call(lab.caller, 1, lab.route, 1)
const dropped: string[] = []
const make = () => {
  dropped.length = 0
  return new Outcomes({
    ttlMs: 100,
    countMax: 3,
    bytesMax: 100,
    storedBytesMax: 1_000,
    now: () => time,
    drop: ({ nuid }) => void dropped.push(nuid),
  })
}
const fingerprint = { bytes: 1, isJson: false, digest: "d" }
const outcome = (bytes: number) => ({ fingerprint, batch: new Uint8Array(bytes), call })
const stored = (nuid: string, bytes: number) => {
  return { ...outcome(1), content: { nuid, bytes, chunks: 1, digest: "d" } }
}

describe("Outcomes", () => {
  test("keeps so many, and lets the oldest go", () => {
    const outcomes = make()
    for (const id of ["a", "b", "c", "d"]) outcomes.add(id, outcome(1))
    expect([outcomes.size, outcomes.get("a"), outcomes.get("d")?.batch.length]).toEqual([
      3,
      undefined,
      1,
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
    expect([outcomes.get("a"), outcomes.get("b")?.batch.length]).toEqual([undefined, 1])
    time = 160
    outcomes.add("c", outcome(1))
    expect(outcomes.size).toBe(1)
  })

  test("keeps so many bytes in the store, and says what of it is not needed any more", () => {
    const outcomes = make()
    time = 0
    outcomes.add("a", stored("1", 600))
    outcomes.add("b", stored("2", 400))
    expect(dropped).toEqual([])
    outcomes.add("c", stored("3", 500))
    expect([dropped, outcomes.get("a"), outcomes.size]).toEqual([["1"], undefined, 2])
    outcomes.add("c", stored("4", 500))
    expect(dropped).toEqual(["1", "3"])
    time = 100
    expect(outcomes.get("b")).toBeUndefined()
    expect(dropped).toEqual(["1", "3", "2", "4"])
  })
})
