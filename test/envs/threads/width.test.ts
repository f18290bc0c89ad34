import { describe, expect, test } from "bun:test"
import { Width } from "../../../envs/threads/width.ts"

const CORES = navigator.hardwareConcurrency

function grownToCores(ranMsOf?: (thread: number) => number | undefined): Width {
  const width = new Width(4_000, ranMsOf)
  for (let i = 0; i < 10; i++) width.adapt({ stalled: 0, heldUp: 1, ended: 2 })
  return width
}

describe("Width", () => {
  test("quadruples with each stall while no call ends, up to the limit", () => {
    const width = new Width(40)
    const seen = [0, 1, 2, 3, 4].map(() => {
      width.adapt({ stalled: 1, heldUp: 0, ended: 0 })
      return width.value
    })
    expect(seen).toEqual([4, 16, 40, 40, 40])
  })

  test("stays as it is where nothing stalls or is held up", () => {
    const width = new Width(40)
    width.adapt({ stalled: 0, heldUp: 0, ended: 0 })
    width.adapt({ stalled: 0, heldUp: 0, ended: 100 })
    expect(width.value).toBe(1)
  })

  test("is a thread per core at most while many calls end, and grows to that while calls hold threads up", () => {
    const width = new Width(4_000)
    for (let i = 0; i < 6; i++) width.adapt({ stalled: 1, heldUp: 0, ended: 0 })
    width.adapt({ stalled: 1, heldUp: 0, ended: 100 })
    expect(width.value).toBe(CORES)
    expect(grownToCores().value).toBe(CORES)
  })

  test.if(CORES > 1)("shrinks while threads have little to do, down to one", () => {
    const width = grownToCores((thread) => performance.now() * (thread === 1 ? 0.4 : 0))
    lookOften(width, [1, 2])
    expect(width.value).toBe(1)
  })

  test.if(CORES > 1)("does not shrink while they are busy, or where nobody knows", () => {
    for (const ranMsOf of [() => performance.now(), () => undefined]) {
      const width = grownToCores(ranMsOf)
      lookOften(
        width,
        Array.from({ length: CORES }, (_, thread) => thread),
      )
      expect(width.value).toBe(CORES)
    }
  })
})

/** As many ticks as several looks take, within some milliseconds. */
function lookOften(width: Width, threads: readonly number[], looks = CORES * 4): void {
  for (let look = 0; look < looks; look++) {
    for (let tick = 0; tick < 50; tick++) width.spare(() => threads)
    for (const end = performance.now() + 1; performance.now() < end;);
  }
}
