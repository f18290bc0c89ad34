import { describe, expect, test } from "bun:test"
import { readlinkSync } from "node:fs"
import { Width } from "../../../envs/threads/width.ts"

const CORES = navigator.hardwareConcurrency
const TICKS = 200

function grownToCores(): Width {
  const width = new Width(4_000)
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

  test.if(process.platform === "linux" && CORES > 1)(
    "shrinks while threads have little to do, down to one, and not while they are busy",
    async () => {
      const own = Number(/\d+$/.exec(readlinkSync("/proc/thread-self"))?.[0])
      const idle = grownToCores()
      for (let i = 0; i < TICKS * CORES; i++) {
        idle.spare(() => [own])
        if (i % 20 === 0) await Bun.sleep(1)
      }
      expect(idle.value).toBe(1)
      const busy = grownToCores()
      // As busy as one thread per core: the same one counted so often.
      for (let i = 0; i < TICKS; i++) {
        busy.spare(() => Array.from({ length: CORES * 4 }, () => own))
        for (const end = performance.now() + 0.2; performance.now() < end;);
      }
      expect(busy.value).toBe(CORES)
    },
  )
})
