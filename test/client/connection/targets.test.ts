import { describe, expect, test } from "bun:test"
import { Targets } from "../../../client/connection/targets.ts"

describe("Targets", () => {
  test("gives each function of each env a number of its own, and knows it again", () => {
    const targets = new Targets()
    const names = ["a", "b"].flatMap((env) => ["f", "g", "h"].map((fn) => [env, fn] as const))
    const numbers = names.map(([env, fn]) => targets.add(env, fn))
    expect(new Set(numbers).size).toBe(names.length)
    expect(names.map(([env, fn]) => targets.get(env, fn))).toEqual(numbers)
    expect(targets.get("c", "f")).toBeUndefined()
    expect(targets.get("a", "i")).toBeUndefined()
  })

  test("gives a number that was let go out again, and no other twice", () => {
    const targets = new Targets()
    targets.add("a", "f")
    const freed = targets.add("a", "g")
    targets.delete("a", "g")
    targets.delete("a", "g")
    targets.delete("b", "g")
    expect(targets.get("a", "g")).toBeUndefined()
    expect(targets.add("b", "x")).toBe(freed)
    expect(targets.add("b", "y")).toBe(freed + 1)
  })

  test("begins anew for a new connection", () => {
    const targets = new Targets()
    const first = targets.add("a", "f")
    targets.add("a", "g")
    targets.clear()
    expect(targets.get("a", "f")).toBeUndefined()
    expect(targets.add("a", "g")).toBe(first)
  })
})
