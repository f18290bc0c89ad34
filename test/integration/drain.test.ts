import { describe, expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { ask, pathOf } from "../support/http.ts"
import { descendants, isRunning } from "../support/processes.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

async function sendSleep(stack: Stack, env = "default") {
  return fn(async function sleep(ms: number) {
    await Bun.sleep(ms)
    return ms
  }).to(stack.here.env(env))
}

async function isDraining(stack: Stack): Promise<boolean> {
  return (await stack.here.status()).state === "draining"
}

describe("a daemon that is told to stop", () => {
  test("lets running calls end, refuses new ones and says when to come back", async () => {
    await using stack = await startStack()
    const sleep = await sendSleep(stack)
    await sleep(0)
    const running = [sleep(600), sleep.with({ timeoutMs: 0 })(500)]
    const overHttp = ask(stack, "POST", pathOf("default", "sleep", "/call"), { body: "[550]" })
    await until(async () => (await stack.here.status()).callsInFlight === 3, "the calls to run")
    const family = [stack.pid, ...descendants(stack.pid)]
    const stopped = stack.stop()
    await until(() => isDraining(stack), "the daemon to drain")
    expect(await caught(sleep(1))).toMatchObject({
      code: "UNAVAILABLE",
      ran: "no",
      retryAfterMs: 1_000,
    })
    expect(await caught(() => sleep.sync(1))).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    const refused = await ask(stack, "POST", pathOf("default", "sleep", "/call"), { body: "[1]" })
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"])
    expect((await ask(stack, "GET", "/ready")).status).toBe(503)
    expect((await ask(stack, "GET", "/health")).status).toBe(200)
    expect(await Promise.all(running)).toEqual([600, 500])
    expect((await overHttp).json).toEqual({ ok: true, value: 550 })
    await stopped
    for (const pid of family) expect(isRunning(pid)).toBe(false)
    expect(readdirSync(stack.home)).not.toContain("daemon.json")
    expect(await stack.log()).not.toMatch(/uncaught|unhandled/)
  })

  test("twice hurries: running calls end with the truth about them, and nothing is left running", async () => {
    await using stack = await startStack()
    const sleep = await sendSleep(stack)
    const narrow = await sendSleep(stack, "narrow")
    await stack.here.env("narrow", { concurrency: 1 }).ready()
    await Promise.all([sleep(0), narrow(0)])
    const running = caught(sleep(60_000))
    const first = caught(narrow(60_000))
    const waiting = caught(narrow(1))
    await until(async () => (await stack.here.env("narrow").status())?.queued === 1, "one to wait")
    const family = [stack.pid, ...descendants(stack.pid)]
    const start = performance.now()
    const stopped = stack.stop()
    await until(() => isDraining(stack), "the daemon to drain")
    await stack.stop()
    await stopped
    expect(performance.now() - start).toBeLessThan(3_000)
    for (const call of [running, first]) {
      expect(await call).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    }
    expect(await waiting).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    for (const pid of family) expect(isRunning(pid)).toBe(false)
  })

  test("while an env is starting, failing or gone ends all the same", async () => {
    await using stack = await startStack()
    const die = await fn(async function die() {
      process.kill(process.pid, "SIGKILL")
    }).to(stack.here.env("dying"))
    await caught(die())
    await caught(die())
    void stack.here
      .env("starting")
      .ready()
      .catch(() => {})
    const again = caught(die())
    await until(async () => (await stack.here.env("starting").status()) !== undefined, "an env")
    const family = [stack.pid, ...descendants(stack.pid)]
    await stack.stop()
    expect(["WORKER_LOST", "UNAVAILABLE", "DAEMON_LOST"]).toContain((await again).code)
    for (const pid of family) expect(isRunning(pid)).toBe(false)
  })

  test("by a request does the same, and answers before it does", async () => {
    await using stack = await startStack()
    const sleep = await sendSleep(stack)
    await sleep(0)
    const running = sleep(300)
    await until(async () => (await stack.here.status()).callsInFlight === 1, "the call to run")
    const { status, json } = await ask(stack, "POST", "/v1/shutdown")
    expect([status, json]).toEqual([202, { stopping: true }])
    expect(await running).toBe(300)
    await until(() => !isRunning(stack.pid), "the daemon to be gone")
  })
})

describe("a daemon that is started again", () => {
  test("has the envs and functions that it had, and clients find it by themselves", async () => {
    await using stack = await startStack()
    const env = stack.here.env("kept", { concurrency: 3, threads: { max: 2 }, queue: 9 })
    const sleep = await fn(async (ms: number) => Bun.sleep(ms).then(() => ms), {
      name: "sleep",
    }).to(env)
    const add = await fn((a: number, b: number) => a + b, { name: "add" }).to(env)
    await stack.here.env("removed", { queue: 1 }).ready()
    await stack.here.env("removed").remove()
    expect([await sleep(1), add(1, 2)]).toEqual([1, 3])
    const before = await env.status()
    await stack.stop()
    const waiting = sleep(2)
    await stack.startAgain()
    expect(await waiting).toBe(2)
    expect(add(3, 4)).toBe(7)
    const after = await env.status()
    expect(after?.spec).toMatchObject({ concurrency: 3, threads: { max: 2 }, queue: 9 })
    expect(after?.functions).toEqual(before?.functions ?? [])
    expect((await stack.here.status()).envs.map(({ name }) => name)).toEqual(["kept"])
  })

  test("in a home that another daemon holds refuses, and leaves that one alone", async () => {
    await using stack = await startStack()
    const error = await stack.startAgain().catch((thrown: unknown) => String(thrown))
    expect(error).toContain("UNAVAILABLE")
    expect(error).toContain("is running in")
    expect((await stack.here.status()).state).toBe("running")
  })
})

describe("two hundred connections, calls and deploys", () => {
  test("leave no descriptor open and nothing in flight", async () => {
    await using stack = await startStack()
    const sleep = await sendSleep(stack)
    const descriptors = () => readdirSync(`/proc/${stack.pid}/fd`).length
    const cycle = async (i: number) => {
      using client = stack.connect()
      const remote = await client.get<typeof sleep>("sleep")
      expect(await remote(i % 3)).toBe(i % 3)
    }
    const tenCycles = () => Promise.all(Array.from({ length: 10 }, (_, i) => cycle(i)))
    // Connections of `fetch` stay open for its next request: as many as are made at a time, give or take.
    for (let i = 0; i < 3; i++) await tenCycles()
    const before = descriptors()
    for (let i = 0; i < 20; i++) await tenCycles()
    for (let i = 0; i < 5; i++) {
      await sendSleep(stack, "temporary")
      await stack.here.env("temporary").remove()
    }
    await until(() => descriptors() <= before + 10, "the descriptors to be closed", 10_000)
    expect((await stack.here.status()).callsInFlight).toBe(0)
  })
})
