import { expect, test } from "bun:test"
import { Garbage } from "../../../server/objects/garbage.ts"

/** Garbage of a store that is away as long as `isAway` says so. */
function garbageOf(store: { isAway: boolean }) {
  const removed: string[] = []
  const garbage = new Garbage(async (nuid) => {
    if (store.isAway) throw new Error("away")
    removed.push(nuid)
  })
  return { garbage, removed }
}

test("garbage is removed at once, or when its last reader has ended", async () => {
  const { garbage, removed } = garbageOf({ isAway: false })
  const use = { readers: 2 }
  await garbage.add({ nuid: "read", bytes: 5, use })
  await garbage.add({ nuid: "free", bytes: 7, use: { readers: 0 } })
  expect([removed, garbage.bytes]).toEqual([["free"], 5])
  use.readers = 1
  await garbage.collect()
  expect(garbage.bytes).toBe(5)
  use.readers = 0
  await garbage.collect()
  await garbage.collect()
  expect([removed, garbage.bytes]).toEqual([["free", "read"], 0])
})

test("garbage that cannot be removed counts, and is tried again", async () => {
  const store = { isAway: true }
  const { garbage, removed } = garbageOf(store)
  await garbage.add({ nuid: "a", bytes: 3, use: { readers: 0 } })
  await garbage.add({ nuid: "b", bytes: 4, use: { readers: 0 } })
  expect([removed, garbage.bytes]).toEqual([[], 7])
  store.isAway = false
  await garbage.collect()
  expect([removed, garbage.bytes]).toEqual([["a", "b"], 0])
})
