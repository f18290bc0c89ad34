import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { cls } from "../../client/index.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { Base } from "./fixtures/base.ts"

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

const offset = 1_000

class Middle extends Base {
  async shift(value: number): Promise<number> {
    return (await super.scale(value)) + offset
  }
}

class Leaf extends Middle {
  override async scale(value: number): Promise<number> {
    return (await super.scale(value)) + 1
  }
}

class Words extends Map<string, number> {
  count(word: string): number {
    const count = (this.get(word) ?? 0) + 1
    this.set(word, count)
    return count
  }
}

describe("a class that extends another", () => {
  test("brings its base classes along, from its file and from others", async () => {
    const leaves = await cls(Leaf).to(stack.here)
    expect(leaves.info.run).toBe("loop")
    await using leaf = await leaves.create(3)
    expect([await leaf.scale(2), await leaf.shift(2), await leaf.calls()]).toEqual([7, 1_006, 2])
    expect(await leaves.static.kind()).toBe("a kind of Leaf")
  })

  test("may extend a built-in one, whose methods it has", async () => {
    const words = await cls(Words).to(stack.here)
    expect(words.info.run).toBe("thread")
    await using book = await words.create([["a", 1]])
    expect([book.count("a"), book.get("a"), book.has("b")]).toEqual([2, 2, false])
    expect(await book.async.count("b")).toBe(1)
  })
})
