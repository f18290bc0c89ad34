import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { STREAM_WINDOW_BYTES } from "../../protocol/limits.ts"
import { MIB } from "../support/memory.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"
import { whilePending } from "../support/while-pending.ts"

/** How much of a stream is on the way, and what that costs everybody else. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "all calls to end")
  await stack[Symbol.asyncDispose]()
})

/** Counts, and tells whoever asks how far it has come. */
async function sendCounter() {
  const target = stack.here
  const count = await fn(async function* count(key: string, n: number, bytes = 0) {
    for (let i = 0; i < n; i++) {
      Reflect.set(globalThis, key, i + 1)
      yield bytes === 0 ? i : new Uint8Array(bytes).fill(i)
    }
  }).to(target)
  const counted = await fn(async function counted(key: string) {
    return Number(Reflect.get(globalThis, key) ?? 0)
  }).to(target)
  return { count, counted }
}

/** The figure, once it does not change any more. */
async function settled(figure: () => Promise<number>): Promise<number> {
  let last = -1
  return until(async () => {
    const now = await figure()
    const isSettled = now === last && now > 0
    last = now
    if (!isSettled) await Bun.sleep(20)
    return isSettled ? now : undefined
  }, "the generator to pause")
}

describe("a reader that stops reading", () => {
  test("pauses the generator after a window of items", async () => {
    const { count, counted } = await sendCounter()
    for (const window of [1, 2, 7, 1_000]) {
      const key = `window ${window}`
      const items = count.with({ stream: { window } })(key, 1e9)
      await items.next()
      const ahead = await settled(() => counted(key))
      expect(ahead).toBeGreaterThanOrEqual(window)
      expect(ahead).toBeLessThanOrEqual(window + 1)
      await items.return(undefined)
    }
  })

  test("pauses it after 4 MiB, however few items these are", async () => {
    const { count, counted } = await sendCounter()
    const items = count("bytes", 1e9, MIB)
    await items.next()
    const ahead = await settled(() => counted("bytes"))
    expect(ahead * MIB).toBeGreaterThanOrEqual(STREAM_WINDOW_BYTES)
    expect(ahead * MIB).toBeLessThanOrEqual(STREAM_WINDOW_BYTES + 2 * MIB)
    await items.return(undefined)
  })

  test("gets every item when it goes on, one at a time as well", async () => {
    const { count } = await sendCounter()
    for (const window of [1, 3, 100]) {
      const items = count.with({ stream: { window } })("all", 500)
      expect(await Array.fromAsync(items)).toEqual(Array.from({ length: 500 }, (_, i) => i))
      const blocking = count.with({ stream: { window: Math.max(window, 100) } }).sync("all", 500)
      expect([...blocking]).toEqual(Array.from({ length: 500 }, (_, i) => i))
    }
  })
})

describe("items", () => {
  test("of almost 7 MiB pass, also where the window holds one item", async () => {
    const { count } = await sendCounter()
    const bytes = 7 * MIB - 100
    for (const window of [1, 100]) {
      let index = 0
      for await (const item of count.with({ stream: { window } })("huge", 4, bytes)) {
        if (!(item instanceof Uint8Array)) throw new Error("expected bytes")
        expect(item).toHaveLength(bytes)
        expect(item[bytes - 1]).toBe(index++)
      }
      expect(index).toBe(4)
    }
    for (const item of count.sync("huge", 3, bytes)) expect(item).toHaveLength(bytes)
  })
})

describe("generators that never wait", () => {
  test("let other calls and each other have their turns, 200 of them", async () => {
    const { count } = await sendCounter()
    const add = await fn(async function add(a: number, b: number) {
      return a + b
    }).to(stack.here)
    const streams = Array.from({ length: 200 }, (_, i) => count(`many ${i}`, 2_000))
    const sums = Promise.all(
      streams.map(async (items) => {
        let sum = 0
        for await (const item of items) sum += Number(item)
        return sum
      }),
    )
    let calls = 0
    await whilePending(sums, async () => {
      expect(await add(calls, 1)).toBe(calls + 1)
      calls++
    })
    expect(new Set(await sums)).toEqual(new Set([(2_000 * 1_999) / 2]))
    expect(calls).toBeGreaterThan(1)
  })

  test("let a cancel through", async () => {
    const { count, counted } = await sendCounter()
    const items = count("cancelled", 1e9)
    const first = items.next()
    await first
    await items.return(undefined)
    const end = await settled(() => counted("cancelled"))
    expect(end).toBeLessThan(1e9)
  })
})

describe("memory", () => {
  test("stays flat at a million items with a reader that falls behind", async () => {
    const { count } = await sendCounter()
    const pids = [stack.pid, Number((await stack.here.status()).envs[0]?.pid)]
    const rss = async () => {
      Bun.gc(true)
      return process.memoryUsage.rss() + pids.reduce((sum, pid) => sum + rssOf(pid), 0)
    }
    let start = 0
    let seen = 0
    for await (const item of count("million", 1_000_000)) {
      expect(item === seen).toBe(true)
      seen++
      if (seen % 10_000 === 0) await Bun.sleep(1)
      if (seen === 100_000) start = await rss()
    }
    expect(seen).toBe(1_000_000)
    expect((await rss()) - start).toBeLessThan(80 * MIB)
  }, 60_000)
})

function rssOf(pid: number): number {
  const { stdout } = Bun.spawnSync(["ps", "-o", "rss=", "-p", String(pid)])
  return Number(stdout.toString()) * 1024
}
