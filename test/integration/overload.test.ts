import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { BunhouseError, fn, type Env } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { ask, pathOf } from "../support/http.ts"
import { isMarked, startMarks } from "../support/mark.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

async function sendSleep(env: Env) {
  return fn(async function sleep(ms: number) {
    await Bun.sleep(ms)
    return ms
  }).to(env)
}

async function idle(): Promise<boolean> {
  const { callsInFlight, envs } = await stack.here.status()
  return callsInFlight === 0 && envs.every(({ running, queued }) => running + queued === 0)
}

describe("an env with a full queue", () => {
  test("refuses at once, says when to come back, and works off what it took", async () => {
    const sleep = await sendSleep(stack.here.env("full", { concurrency: 2, queue: 4 }))
    await sleep(0)
    const start = performance.now()
    const calls = Array.from({ length: 200 }, async () => {
      const outcome = await sleep(600).catch((error: unknown) => error)
      return { outcome, ms: performance.now() - start }
    })
    const ends = await Promise.all(calls)
    const refusals = ends.filter(({ outcome }) => outcome instanceof BunhouseError)
    expect(refusals).toHaveLength(194)
    for (const { outcome, ms } of refusals) {
      expect(outcome).toMatchObject({
        code: "OVERLOADED",
        ran: "no",
        env: "full",
        function: "sleep",
        retryAfterMs: 100,
      })
      expect(ms).toBeLessThan(600)
    }
    await until(idle, "the daemon to be idle")
  })

  test("refuses over HTTP with 429, and lets in what comes when there is room again", async () => {
    const env = stack.here.env("http", { concurrency: 1, queue: 0 })
    const sleep = await sendSleep(env)
    const running = sleep(200)
    await until(async () => (await env.status())?.running === 1, "the place to be taken")
    const path = pathOf("http", "sleep", "/call")
    const refused = await ask(stack, "POST", path, { body: "[1]" })
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"])
    expect(refused.text).toContain("http/sleep: 0 of at most 0 calls wait for the env")
    await running
    expect((await ask(stack, "POST", path, { body: "[1]" })).json).toEqual({ ok: true, value: 1 })
  })

  test("does not touch another env", async () => {
    const flooded = await sendSleep(stack.here.env("flooded", { concurrency: 1, queue: 5 }))
    const calm = await sendSleep(stack.here.env("calm"))
    await Promise.all([flooded(0), calm(0)])
    let refused = 0
    const flood = Array.from({ length: 5_000 }, () => flooded(20).catch(() => refused++))
    const values = await Promise.all(Array.from({ length: 50 }, () => calm(1)))
    expect(values).toEqual(Array.from({ length: 50 }, () => 1))
    await Promise.all(flood)
    expect(refused).toBeGreaterThan(4_000)
    await until(idle, "the daemon to be idle")
  })

  test("counts what waits for threads and for the loop together", async () => {
    const env = stack.here.env("both", { concurrency: 1, threads: { max: 1 }, queue: 2 })
    const sleep = await sendSleep(env)
    const nap = await fn(function nap(ms: number) {
      Bun.sleepSync(ms)
      return ms
    }).to(env)
    await Promise.all([sleep(0), nap.async(0)])
    const calls = [sleep(200), sleep(1), nap.async(200), nap.async(1)]
    await until(async () => (await env.status())?.queued === 2, "two calls to wait")
    expect(await sleep(1).catch((error: unknown) => error)).toMatchObject({ code: "OVERLOADED" })
    expect(await nap.async(1).catch((error: unknown) => error)).toMatchObject({
      code: "OVERLOADED",
    })
    expect(await Promise.all(calls)).toEqual([200, 1, 200, 1])
  })
})

describe("a flood that passes", () => {
  test("leaves nothing: what gave up in the queue never ran, what ran is done", async () => {
    using marks = startMarks()
    const env = stack.here.env("flood", { concurrency: 4 })
    const leave = await fn(async function leave(path: string, ms: number) {
      await Bun.write(path, "")
      await Bun.sleep(ms)
    }).to(env)
    const paths = Array.from({ length: 400 }, () => marks.next())
    const ends = await Promise.all(
      paths.map(async (path) => {
        const error = await leave
          .with({ timeoutMs: 60 })(path, 25)
          .catch((thrown: unknown) => thrown)
        return { path, ran: error instanceof BunhouseError ? error.ran : "yes" }
      }),
    )
    await until(idle, "the daemon to be idle")
    const neverRan = ends.filter(({ ran }) => ran === "no")
    expect(neverRan.length).toBeGreaterThan(100)
    expect(neverRan.filter(({ path }) => isMarked(path))).toEqual([])
    const didRun = ends.filter(({ ran }) => ran === "yes")
    expect(didRun.every(({ path }) => isMarked(path))).toBe(true)
  })
})

describe("a refusal for overload", () => {
  test("is the same to blocking calls of both kinds", async () => {
    const env = stack.here.env("surfaces", { concurrency: 1, queue: 0 })
    const sleep = await sendSleep(env)
    const running = sleep(3_000)
    await until(async () => (await env.status())?.running === 1, "the place to be taken")
    const expected = { code: "OVERLOADED", ran: "no", env: "surfaces", retryAfterMs: 100 }
    for (const here of [stack.here, stack.connect({ blocking: "resident" })]) {
      const found = await here.get<typeof sleep>("surfaces/sleep")
      expect(await caught(() => found.sync(1))).toMatchObject(expected)
    }
    expect(await running).toBe(3_000)
  })
})
