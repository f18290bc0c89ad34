import { describe, expect, test } from "bun:test"
import { MemoryWatch, residentBytes, residentBytesByPs } from "../../../server/envs/memory.ts"
import { until } from "../../support/until.ts"

describe("the resident memory of a process", () => {
  test("is known by /proc and by ps alike", async () => {
    const [direct = 0, byPs = 0] = [
      residentBytes(process.pid),
      await residentBytesByPs(process.pid),
    ]
    expect(direct).toBeGreaterThan(1024 * 1024)
    expect(Math.abs(direct - byPs)).toBeLessThan(direct / 2)
  })

  test("of nobody is not known", async () => {
    expect(residentBytes(2 ** 22 + 1)).toBeUndefined()
    expect(await residentBytesByPs(2 ** 22 + 1)).toBeUndefined()
  })
})

describe("MemoryWatch", () => {
  test("tells once it is over the limit, with both figures", async () => {
    const told: string[] = []
    const watch = new MemoryWatch(process.pid, (how) => void told.push(how))
    watch.limit(16)
    await until(() => told.length > 0, "the word")
    expect(told[0]).toMatch(/^out of memory: \d+ MiB resident, over its limit of 16 MiB$/)
    watch.stop()
  })

  test("tells nothing below the limit, without one, or when it was stopped", async () => {
    const told: string[] = []
    const watch = new MemoryWatch(process.pid, (how) => void told.push(how))
    expect(await watch.isOver()).toBe(false)
    watch.limit(1_000_000)
    expect(await watch.isOver()).toBe(false)
    watch.limit(16)
    watch.stop()
    expect(await watch.isOver()).toBe(false)
    expect(told).toEqual([])
  })
})
