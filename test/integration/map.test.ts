import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { runExample } from "../support/example.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

const inFlight = async () => (await stack.here.status()).callsInFlight

describe("remote.map()", () => {
  test("calls functions of either kind, in order", async () => {
    const square = await fn(async (x: number) => x * x, { name: "square" }).to(stack.here)
    const add = await fn((a: number, b: number) => a + b, { name: "add" }).to(stack.here)
    const numbers = Array.from({ length: 5_000 }, (_, i) => i)
    expect(await square.map(numbers).toArray()).toEqual(numbers.map((x) => x * x))
    const pairs = numbers.slice(0, 100).map((x) => [x, 1] as const)
    expect(await add.map(pairs, { spread: true, concurrency: 4 }).toArray()).toEqual(
      pairs.map(([x]) => x + 1),
    )
  })

  test("of an endless source ends with `break`, and leaves no call running", async () => {
    const env = stack.here.env("endless")
    const wait = await fn(
      async function wait(ms: number) {
        await Bun.sleep(ms)
        return ms
      },
      { name: "wait" },
    ).to(env)
    const endless = (function* () {
      yield 1
      for (;;) yield 100_000
    })()
    for await (const first of wait.map(endless, { concurrency: 10 })) {
      expect(first).toBe(1)
      break
    }
    const waits = (await env.status())?.running ?? 0
    expect(waits).toBeGreaterThan(0) // They ignore their signal, and nobody waits for them.
    const late = await caught(wait.with({ timeoutMs: 50 }).map([100_000]).toArray())
    expect(late.code).toBe("DEADLINE_EXCEEDED")
    await env.remove()
    await until(async () => (await inFlight()) === 0, "no call to be in flight")
  })

  test("an error cancels the rest; `settled` tells it as it was thrown", async () => {
    const check = await fn(
      async function check(x: number) {
        if (x === 3) throw new RangeError("three")
        return x
      },
      { name: "check" },
    ).to(stack.here)
    const first: unknown = await check
      .map([1, 2, 3, 4])
      .toArray()
      .catch((error: unknown) => error)
    expect(first).toBeInstanceOf(RangeError)
    const all = await check.map([2, 3], { settled: true }).toArray()
    expect(all[0]).toEqual({ status: "fulfilled", value: 2 })
    expect(all[1]?.status === "rejected" && all[1].reason).toBeInstanceOf(RangeError)
  })

  test("an item that cannot be sent is that call's failure", async () => {
    const echo = await fn(async (x: unknown) => x, { name: "echo" }).to(stack.here)
    const all = await echo.map([1, () => 1, 2], { settled: true }).toArray()
    expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"])
  })

  test("keeps memory bounded over a long source", async () => {
    const size = await fn(async (text: string) => text.length, { name: "size" }).to(stack.here)
    const items = (function* () {
      for (let i = 0; i < 1_000; i++) yield "x".repeat(100_000)
    })()
    const before = held()
    let sum = 0
    let most = before
    for await (const length of size.map(items, { concurrency: 8 })) {
      sum += length
      if (sum % 10_000_000 === 0) most = Math.max(most, held())
    }
    expect(sum).toBe(100_000_000)
    // The items together are 100 MB, four times that as they travel.
    expect(most - before).toBeLessThan(80_000_000)
  }, 30_000)

  test("the example does what it says", async () => {
    const { stdout } = await runExample(stack, "map.ts")
    expect(stdout).toStartWith("17984 primes below 200,000\n")
    expect(stdout).toContain("palindromes from 1,000 on: 1001, 1111, 1221, 1331, 1441\n")
    expect(stdout).toContain("1\nfailed: SyntaxError")
  })
})

/** Bytes that this process holds, without garbage. */
function held(): number {
  Bun.gc(true)
  return process.memoryUsage.rss()
}
