import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { cls, type Env, fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

function modeOf(env: Env) {
  return fn(
    async (ms: number) => {
      await Bun.sleep(ms)
      return `${process.env["MODE"]} ${process.pid}`
    },
    { name: "modeOf" },
  ).to(env)
}

async function become(name: string, mode: string): Promise<void> {
  await stack.here.env(name, { vars: { MODE: mode } }).ready()
}

describe("a changed spec", () => {
  test("lets calls in flight end where they are, while new ones go to the new process", async () => {
    const env = stack.here.env("switched", { vars: { MODE: "old" } })
    const mode = await modeOf(env)
    const slow = await fn(
      (ms: number) => {
        Bun.sleepSync(ms)
        return process.env["MODE"] ?? ""
      },
      { name: "slow" },
    ).to(env)
    const pid = (await mode(0)).split(" ")[1]
    const inFlight = [mode(1_500), slow.async(1_500)]
    await until(async () => (await env.status())?.running === 2, "the calls to run")
    await become("switched", "new")
    expect(await mode(0)).toStartWith("new ")
    expect(await slow.async(0)).toBe("new")
    expect(await env.status()).toMatchObject({ retiring: 1, running: 2, crashes: 0 })
    expect(await Promise.all(inFlight)).toEqual([`old ${pid}`, "old"])
    await until(async () => (await env.status())?.retiring === 0, "the end of the old process")
    expect(await mode(0)).toStartWith("new ")
  })

  test("under load loses no call and refuses none", async () => {
    const mode = await modeOf(stack.here.env("loaded", { vars: { MODE: "0" } }))
    const over = new AbortController()
    const seen = new Set<string>()
    let calls = 0
    const callers = Array.from({ length: 32 }, async (_, i) => {
      while (!over.signal.aborted) {
        seen.add(await mode(i % 8))
        calls++
      }
    })
    for (let i = 1; i <= 5; i++) await become("loaded", String(i))
    over.abort()
    await Promise.all(callers)
    expect(await mode(0)).toStartWith("5 ")
    expect(seen.size).toBeGreaterThanOrEqual(5)
    expect(calls).toBeGreaterThan(100)
    const status = await stack.here.env("loaded").status()
    expect(status).toMatchObject({ crashes: 0, state: "ready" })
    await until(
      async () => (await stack.here.env("loaded").status())?.retiring === 0,
      "the end of the old processes",
    )
  }, 30_000)

  test("has the functions that were in use loaded before the switch", async () => {
    const env = stack.here.env("eager", { vars: { MODE: "a" } })
    const mode = await modeOf(env)
    await mode(0)
    await fn(
      async () => {
        await Bun.write(`${process.env["BUNHOUSE_HOME"]}/loaded-twice`, "")
      },
      { name: "other" },
    ).to(env)
    const count = async () => (await stack.log()).split('"env switched"').length
    const before = await count()
    await become("eager", "b")
    expect(await count()).toBe(before + 1)
    expect(await mode(0)).toStartWith("b ")
  })

  test("that drops what a function needs is refused, and the function goes on", async () => {
    const env = stack.here.env("needed", { vars: { NEEDED: "1" } })
    const needs = await fn(async () => "served", { name: "needs" }).to(env)
    const code = `if (process.env.NEEDED !== "1") throw new Error("NEEDED is missing")
      export default async () => "served by module"`
    const response = await fetch(`${stack.url}/v1/envs/needed/functions/picky`, {
      method: "PUT",
      headers: { authorization: `Bearer ${stack.token}`, "content-type": "application/json" },
      body: JSON.stringify({ kind: "async", run: "loop", code }),
    })
    expect(response.status).toBe(200)
    const failed = stack.here.env("needed", {}).ready()
    expect(await failed.catch(String)).toContain("NEEDED is missing")
    expect(await needs()).toBe("served")
    expect((await env.status())?.spec.vars).toEqual({ NEEDED: "1" })
  })

  test("ends instances of classes, after the call that they run, and says so to their callers", async () => {
    const env = stack.here.env("stateful", { vars: { MODE: "old" } })
    const Counter = await cls(
      class Counter {
        count = 0
        async add(ms: number) {
          await Bun.sleep(ms)
          return `${process.env["MODE"]} ${++this.count}`
        }
      },
    ).to(env)
    const counter = await Counter.create()
    const inFlight = counter.add(800)
    await until(async () => (await env.status())?.running === 1, "the call to run")
    await become("stateful", "new")
    const error = await caught(counter.add(0))
    expect(error).toMatchObject({ code: "STATE_LOST", ran: "no" })
    expect(error.message).toContain("was replaced")
    expect(await inFlight).toBe("old 1")
    const next = await Counter.create()
    expect(await next.add(0)).toBe("new 1")
    expect((await env.status())?.instances).toBe(1)
  })

  test("is cancelled for callers that give up: the old process does not stay for them", async () => {
    const env = stack.here.env("given-up", { vars: { MODE: "old" } })
    const mode = await modeOf(env)
    const controller = new AbortController()
    const call = mode.with({ signal: controller.signal })(600_000)
    await until(async () => (await env.status())?.running === 1, "the call to run")
    await become("given-up", "new")
    expect((await env.status())?.retiring).toBe(1)
    controller.abort()
    await call.catch(() => {})
    await until(async () => (await env.status())?.retiring === 0, "the end of the old process")
    expect((await env.status())?.running).toBe(0)
  })
})
