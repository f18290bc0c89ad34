import { describe, expect, test } from "bun:test"
import { CALLS_IN_FLIGHT_MAX } from "../../protocol/limits.ts"
import {
  DAEMON_GENERATIONS,
  isOwnId,
  OWN_GENERATIONS,
  slotOf,
  SlotTable,
} from "../../protocol/slots.ts"
import { randomFrom } from "../support/random.ts"

describe("SlotTable", () => {
  test("agrees with a map, whatever is opened and closed (T1)", () => {
    const seed = Math.floor(Math.random() * 2 ** 32)
    const random = randomFrom(seed)
    const table = new SlotTable<object>()
    const open = new Map<number, object>()
    const closed: number[] = []
    for (let step = 0; step < 20_000; step++) {
      if (random() < 0.5) {
        const entry = { step }
        const id = table.open(entry)
        if (open.has(id) || !Number.isInteger(id) || id < 0 || id > 0xffff_ffff)
          throw new Error(`seed ${seed}`)
        open.set(id, entry)
      } else {
        const [id] = [...open.keys()].slice(Math.floor(random() * open.size))
        if (id === undefined) continue
        expect(table.close(id)).toBe(open.get(id))
        open.delete(id)
        closed.push(id)
      }
      expect(table.size).toBe(open.size)
    }
    for (const [id, entry] of open) expect(table.get(id)).toBe(entry)
    // A late message for an earlier call finds nothing, not the call that has its slot now.
    for (const id of closed.slice(-2_000)) {
      if (open.has(id)) continue
      expect(table.get(id)).toBeUndefined()
      expect(table.close(id)).toBeUndefined()
    }
    expect([...table]).toHaveLength(open.size)
  })

  test("a slot comes back under another id for a long time (T1)", () => {
    const table = new SlotTable<number>()
    const ids = new Set<number>()
    for (let i = 0; i < 4_096; i++) {
      const id = table.open(i)
      expect(slotOf(id)).toBe(0)
      ids.add(id)
      table.close(id)
    }
    expect(ids.size).toBe(4_096)
  })

  test("ids of a process's own calls are never the daemon's", () => {
    const [daemon, own] = [new SlotTable(DAEMON_GENERATIONS), new SlotTable(OWN_GENERATIONS)]
    const ids = new Set<number>()
    for (let i = 0; i < 5_000; i++) {
      const [theirs, ours] = [daemon.open(i), own.open(i)]
      expect([isOwnId(theirs), isOwnId(ours)]).toEqual([false, true])
      expect([daemon.get(ours), own.get(theirs)]).toEqual([undefined, undefined])
      ids.add(theirs).add(ours)
      daemon.close(theirs)
      own.close(ours)
    }
    expect(ids.size).toBe(4_096)
  })

  test("ids that a peer makes up find nothing", () => {
    const table = new SlotTable<string>()
    const id = table.open("one")
    for (const made of [id + 1, id + (1 << 20), 0xffff_ffff, 2 ** 31, CALLS_IN_FLIGHT_MAX]) {
      expect(table.get(made)).toBeUndefined()
      expect(table.close(made)).toBeUndefined()
      expect(slotOf(made)).toBeLessThan(CALLS_IN_FLIGHT_MAX)
      expect(slotOf(made)).toBeGreaterThanOrEqual(0)
    }
    expect(table.size).toBe(1)
  })

  test("entries may be closed during a walk over all", () => {
    const table = new SlotTable<{ id: number }>()
    for (let i = 0; i < 100; i++) {
      const entry = { id: 0 }
      entry.id = table.open(entry)
    }
    for (const entry of table) expect(table.close(entry.id)).toBe(entry)
    expect(table.size).toBe(0)
    expect([...table]).toHaveLength(0)
  })

  test("memory follows the largest number of open entries (T2)", () => {
    const table = new SlotTable<number>()
    for (let i = 0; i < 100_000; i++) {
      const first = table.open(i)
      const second = table.open(i)
      expect(Math.max(slotOf(first), slotOf(second))).toBeLessThan(2)
      table.close(first)
      table.close(second)
    }
  })

  test("is full at CALLS_IN_FLIGHT_MAX, and not before", () => {
    const table = new SlotTable<number>()
    for (let i = 1; i < CALLS_IN_FLIGHT_MAX; i++) table.open(1)
    expect(table.isFull).toBe(false)
    const last = table.open(1)
    expect(table.isFull).toBe(true)
    expect(slotOf(last)).toBe(CALLS_IN_FLIGHT_MAX - 1)
    table.close(last)
    expect(table.isFull).toBe(false)
  })
})
