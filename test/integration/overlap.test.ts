import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Env } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { type Interval, mostAtOnce } from "../support/interval.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"
import { whilePending } from "../support/while-pending.ts"

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

async function sendSleepers(env: Env) {
  const sleep = await fn(async function sleep(ms: number): Promise<Interval> {
    const from = Date.now()
    await Bun.sleep(ms)
    return { from, to: Date.now() }
  }).to(env)
  const block = await fn(function block(ms: number): Interval {
    const from = Date.now()
    Bun.sleepSync(ms)
    return { from, to: Date.now() }
  }).to(env)
  return { sleep, block }
}

/** The longest time that a call took among calls that are made one after another while `work` goes on. */
async function slowestDuring(
  work: Promise<unknown>,
  call: () => Promise<unknown>,
): Promise<number> {
  let slowest = 0
  await whilePending(work, async () => {
    const start = performance.now()
    await call()
    slowest = Math.max(slowest, performance.now() - start)
  })
  return slowest
}

describe("fifty calls of an async function that sleeps", () => {
  test("sleep at the same time", async () => {
    const { sleep } = await sendSleepers(stack.here.env("async"))
    await sleep(1)
    const start = performance.now()
    const intervals = await Promise.all(Array.from({ length: 50 }, () => sleep(400)))
    expect(mostAtOnce(intervals)).toBe(50)
    expect(performance.now() - start).toBeLessThan(1_200)
  })
})

describe("fifty calls of a sync function that sleeps", () => {
  test("sleep at the same time, each on a thread", async () => {
    const { block } = await sendSleepers(stack.here.env("sync"))
    await block.async(1)
    const intervals = await Promise.all(Array.from({ length: 50 }, () => block.async(3_000)))
    expect(mostAtOnce(intervals)).toBe(50)
    const took =
      Math.max(...intervals.map(({ to }) => to)) - Math.min(...intervals.map(({ from }) => from))
    expect(took).toBeLessThan(6_000)
  })

  test("never more of them than the env has threads", async () => {
    const { block } = await sendSleepers(stack.here.env("three", { threads: { max: 3 } }))
    const intervals = await Promise.all(Array.from({ length: 9 }, () => block.async(300)))
    expect(mostAtOnce(intervals)).toBe(3)
  })
})

describe("an env with a limit", () => {
  test("runs so many async calls at once and not more", async () => {
    const { sleep } = await sendSleepers(stack.here.env("four", { concurrency: 4 }))
    const intervals = await Promise.all(Array.from({ length: 12 }, () => sleep(40)))
    expect(mostAtOnce(intervals)).toBe(4)
  })

  test("that is raised lets those that wait start at once", async () => {
    const env = stack.here.env("raised", { concurrency: 1 })
    const { sleep } = await sendSleepers(env)
    const calls = Array.from({ length: 5 }, () => sleep(400))
    await until(async () => (await env.status())?.queued === 4, "four calls to wait")
    await sendSleepers(stack.here.env("raised", { concurrency: 5 }))
    expect(mostAtOnce(await Promise.all(calls))).toBe(5)
  })
})

describe("a function that blocks its env's loop", () => {
  test("does not delay another env, nor the daemon", async () => {
    const blocker = await fn(async function blocker(ms: number) {
      const end = performance.now() + ms
      while (performance.now() < end);
    }).to(stack.here.env("blocked"))
    const { sleep } = await sendSleepers(stack.here.env("free"))
    await Promise.all([blocker(1), sleep(1)])
    expect(await slowestDuring(blocker(800), () => sleep(0))).toBeLessThan(400)
    expect(await slowestDuring(blocker(800), () => stack.here.status())).toBeLessThan(400)
  })

  test("does not delay the threads of its own env", async () => {
    const env = stack.here.env("half")
    const { block } = await sendSleepers(env)
    const intervals = block.async(300)
    await until(async () => (await env.status())?.running === 1, "the thread to run")
    const busy = await fn(async function busy(ms: number): Promise<Interval> {
      const from = Date.now()
      while (Date.now() < from + ms);
      return { from, to: Date.now() }
    }).to(env)
    expect(mostAtOnce([await busy(200), await intervals])).toBe(2)
  })
})

describe("sync functions that keep every thread busy", () => {
  test("do not delay the async functions of their env", async () => {
    const env = stack.here.env("full", { threads: { max: 2 } })
    const { sleep, block } = await sendSleepers(env)
    await Promise.all([sleep(0), block.async(0)])
    const work = Promise.all(Array.from({ length: 4 }, () => block.async(600)))
    expect(await slowestDuring(work, () => sleep(0))).toBeLessThan(500)
  })

  test("do not keep a function of another kind from being sent", async () => {
    const env = stack.here.env("sending", { threads: { max: 1 } })
    const { block } = await sendSleepers(env)
    const work = block.async(500)
    const added = await fn(async () => "async", { name: "added" }).to(env)
    expect(await added()).toBe("async")
    await work
  })
})

describe("a call that takes long", () => {
  test("does not hold back short ones of the same caller", async () => {
    const { sleep } = await sendSleepers(stack.here.env("mixed"))
    const long = sleep(1_000)
    expect(await slowestDuring(long, () => sleep(0))).toBeLessThan(800)
  })

  test("that crashes its env does not touch another env", async () => {
    const { sleep } = await sendSleepers(stack.here.env("bystander"))
    const exit = await fn(async (code: number) => process.exit(code), { name: "exit" }).to(
      stack.here.env("crashing"),
    )
    const calls = Array.from({ length: 20 }, () => sleep(300))
    expect((await caught(exit(1))).code).toBe("WORKER_LOST")
    expect(await Promise.all(calls)).toHaveLength(20)
  })
})
