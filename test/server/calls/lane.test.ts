import { describe, expect, test } from "bun:test"
import { Lane } from "../../../server/calls/lane.ts"

function backlog() {
  return { calls: 0, bytes: 0 }
}

function flight() {
  return { bytes: 0 }
}

/** Takes all places there are; returns how many. */
function fill(lane: Lane): number {
  const before = lane.running
  while (lane.hasPlace) lane.take(0)
  return lane.running - before
}

function pass(lane: Lane, calls: number): void {
  for (let i = 0; i < calls; i++) {
    lane.take(0)
    lane.release(0)
  }
}

describe("a lane", () => {
  test("has as many places as its limit says", () => {
    const lane = new Lane(3, backlog(), flight())
    expect(fill(lane)).toBe(3)
    lane.release(0)
    expect(fill(lane)).toBe(1)
    lane.limit = 5
    expect(fill(lane)).toBe(2)
  })

  test("that may run ahead does so while calls are short, and stops when they are not", async () => {
    const lane = new Lane(16, backlog(), flight(), { mayRunAhead: true })
    pass(lane, 64)
    expect(fill(lane)).toBe(64)
    await Bun.sleep(20)
    for (let i = 0; i < 16; i++) lane.release(0)
    // 48 are still there, more than its limit.
    expect(fill(lane)).toBe(0)
    for (let i = 0; i < 33; i++) {
      Bun.sleepSync(1)
      lane.release(0)
    }
    expect(fill(lane)).toBe(1)
  })

  test("with a small limit never runs ahead: somebody meant it", () => {
    const lane = new Lane(15, backlog(), flight(), { mayRunAhead: true })
    pass(lane, 1_000)
    expect(fill(lane)).toBe(15)
  })

  test("has those places only that calls elsewhere leave", () => {
    let elsewhere = 2
    const leave = (places: number) => elsewhere < places
    const lane = new Lane(3, backlog(), flight(), { leave })
    expect(fill(lane)).toBe(1)
    elsewhere = 0
    expect(fill(lane)).toBe(2)
    elsewhere = 1
    lane.release(0)
    expect(lane.hasPlace).toBe(false)
  })

  test("that may not run ahead never does", () => {
    const lane = new Lane(100, backlog(), flight())
    pass(lane, 10_000)
    expect(fill(lane)).toBe(100)
  })
})
