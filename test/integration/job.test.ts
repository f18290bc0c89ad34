import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Remote } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { writeProgram } from "../support/program.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Jobs from start to result, through the whole stack. Faults are in job-faults.test.ts. */
let stack: Stack
let add: Remote<(a: number, b: number) => Promise<number>>
beforeAll(async () => {
  stack = await startStack()
  add = await fn(async (a: number, b: number) => a + b, { name: "add" }).to(stack.here)
})
afterAll(() => stack[Symbol.asyncDispose]())

describe("remote.start()", () => {
  test("returns at once, with an id under which any process finds the job", async () => {
    const job = await add.start(1, 2)
    expect(await job.result()).toBe(3)
    expect(await stack.connect().job<number>(job.id).result()).toBe(3)
    using program = writeProgram(stack, `console.log(await here.job("${job.id}").result())`)
    expect((await program.run()).stdout).toBe("3\n")
    expect(await job.status()).toMatchObject({
      id: job.id,
      env: "default",
      function: "add",
      state: "succeeded",
      attempts: 1,
      attemptsMax: 1,
      durable: false,
      dead: false,
    })
  })

  test("takes and gives values as calls do, from the loop and from threads", async () => {
    const echo = await fn(async (...args: unknown[]) => args, { name: "echo" }).to(stack.here)
    const echoSync = await fn((...args: unknown[]) => args, { name: "echoSync" }).to(stack.here)
    const self: unknown[] = []
    self.push(self, new Map([[1n, new Date(7)]]), undefined, "x".repeat(100_000))
    for (const remote of [echo, echoSync]) {
      expect(await (await remote.start(self, null)).result()).toEqual([self, null])
    }
    const promised = await fn((x: number) => Promise.resolve(x), { name: "promised" }).to(
      stack.here,
    )
    expect(await (await promised.start(5)).result()).toBe(5)
  })

  test("refuses arguments and options that cannot be, before anything is sent", async () => {
    const before = (await stack.here.jobs()).length
    const send = await fn(async (value: unknown) => value, { name: "send" }).to(stack.here)
    expect(await caught(send.start(() => 1))).toMatchObject({
      code: "VALUE_NOT_SENDABLE",
      path: "args[0]",
    })
    for (const job of [{ attempts: 3 }, { id: "a b" }, { delayMs: -1 }]) {
      expect((await caught(add.with({ job }).start(1, 2))).code).toBe("INVALID_ARGUMENT")
    }
    expect(() => stack.here.job("../x")).toThrow("id of a job")
    expect((await stack.here.jobs()).length).toBe(before)
  })

  test("under an id of one's own, twice, starts one job", async () => {
    const start = add.with({ job: { id: "one-and-only" } })
    const jobs = await Promise.all([start.start(1, 2), start.start(3, 4), start.start(5, 6)])
    expect(new Set(jobs.map(({ id }) => id))).toEqual(new Set(["one-and-only"]))
    const results = await Promise.all(jobs.map((job) => job.result()))
    expect(new Set(results).size).toBe(1)
  })

  test("works inside of a remote function", async () => {
    const outer = await fn(
      async (a: number) => {
        const { here } = await import("bunhouse")
        const remote = await here.get<(a: number, b: number) => Promise<number>>("add")
        return await (await remote.start(a, 1)).result()
      },
      { name: "outer" },
    ).to(stack.here.env("other"))
    expect(await outer(4)).toBe(5)
  })
})

describe("job.result()", () => {
  test("throws what the function threw, as a call would, again and again", async () => {
    const fail = await fn(
      async (kind: string) => {
        if (kind === "error") throw Object.assign(new TypeError("no"), { status: 418, cause: 1n })
        throw kind === "null" ? null : kind
      },
      { name: "fail" },
    ).to(stack.here)
    const job = await fail.start("error")
    for (let i = 0; i < 2; i++) {
      const error: unknown = await job.result().catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(TypeError)
      expect(error).toMatchObject({ message: "no", status: 418, cause: 1n })
      expect(error).toHaveProperty("remote.function", "fail")
      expect(error).toHaveProperty("remote.callId", (await job.status()).callId ?? "")
    }
    for (const [kind, thrown] of [
      ["null", null],
      ["a text", "a text"],
    ] as const) {
      const seen: unknown = await (await fail.start(kind)).result().then(
        () => "no rejection",
        (error: unknown) => error,
      )
      expect(seen).toBe(thrown)
    }
  })

  test("waits no longer than it may; the job goes on", async () => {
    const nap = await fn(async (ms: number) => Bun.sleep(ms).then(() => "rested"), {
      name: "nap",
    }).to(stack.here)
    const job = await nap.start(300)
    const error = await caught(job.result({ timeoutMs: 50 }))
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe" })
    const signal = AbortSignal.timeout(20)
    const reason: unknown = await job.result({ signal }).catch((thrown: unknown) => thrown)
    expect(reason).toHaveProperty("name", "TimeoutError")
    expect(await job.result({ timeoutMs: 60_000 })).toBe("rested")
  })

  test("of a job that nobody knows is NOT_FOUND", async () => {
    const job = stack.here.job("never-started")
    const errors = await Promise.all([job.result(), job.status(), job.cancel()].map(caught))
    expect(errors.map(({ code }) => code)).toEqual(["NOT_FOUND", "NOT_FOUND", "NOT_FOUND"])
  })

  test("throws the platform's error, with ran, for a job that has no time", async () => {
    const nap = await stack.here.get<(ms: number) => Promise<string>>("nap")
    const job = await nap.with({ timeoutMs: 50 }).start(60_000)
    const error = await caught(job.result())
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe", function: "nap" })
    expect(await job.status()).toMatchObject({ state: "failed" })
  })
})

describe("job.cancel()", () => {
  test("fires the signal of a job that runs", async () => {
    const env = stack.here.env("watched")
    const watch = await fn(
      async () => {
        const { context } = await import("bunhouse")
        const { signal, progress } = context()
        progress(0, "watching")
        await new Promise((resolve) => signal.addEventListener("abort", resolve))
      },
      { name: "watch" },
    ).to(env)
    const job = await watch.start()
    await until(async () => (await job.status()).progress?.message, "the function's start")
    expect(await job.cancel()).toMatchObject({ state: "cancelled", endedAt: expect.any(String) })
    expect(await caught(job.result())).toMatchObject({ code: "CANCELLED", ran: "maybe" })
    await until(async () => (await env.status())?.running === 0, "the end of the function")
    expect(await job.cancel()).toMatchObject({ state: "cancelled" })
  })

  test("keeps a job that waits from running", async () => {
    const job = await add.with({ job: { delayMs: 60_000 } }).start(1, 2)
    expect(await job.status()).toMatchObject({ state: "queued", runAt: expect.any(String) })
    await job.cancel()
    expect(await caught(job.result())).toMatchObject({ code: "CANCELLED", ran: "no" })
  })
})

describe("context().progress()", () => {
  test("is seen in the job's status while a thread is busy, and on the loop", async () => {
    const onThread = await fn(
      async () => {
        const { context } = await import("bunhouse")
        const { progress } = context()
        for (let i = 1; i <= 5; i++) progress(i / 10, `step ${i}`)
        Bun.sleepSync(60_000)
      },
      { name: "busyOnThread", run: "thread" },
    ).to(stack.here.env("busy"))
    const onLoop = await fn(
      async () => {
        const { context } = await import("bunhouse")
        const { progress } = context()
        for (let i = 1; i <= 5; i++) progress(i / 10, `step ${i}`)
        await Bun.sleep(60_000)
      },
      { name: "busyOnLoop" },
    ).to(stack.here.env("busy"))
    for (const remote of [onThread, onLoop]) {
      const job = await remote.start()
      const seen = await until(async () => {
        const { progress } = await job.status()
        return progress?.fraction === 0.5 ? progress : undefined
      }, "the last step")
      expect(seen).toEqual({ fraction: 0.5, message: "step 5" })
      await job.cancel()
    }
  })

  test("does nothing to an ordinary call, however often it is called", async () => {
    const many = await fn(
      async (times: number) => {
        const { context } = await import("bunhouse")
        for (let i = 0; i < times; i++) context().progress(i / times)
        return times
      },
      { name: "many" },
    ).to(stack.here)
    expect(await many(100_000)).toBe(100_000)
    expect(await (await many.start(100_000)).result()).toBe(100_000)
  })
})

describe("here.jobs()", () => {
  test("lists jobs by state, newest first", async () => {
    const [first, second] = [await add.start(1, 1), await add.start(2, 2)]
    await Promise.all([first.result(), second.result()])
    const ids = (await stack.here.jobs({ state: "succeeded" })).map(({ id }) => id)
    expect(ids.slice(0, 2)).toEqual([second.id, first.id])
    expect(await stack.here.jobs({ limit: 1 })).toHaveLength(1)
    expect(await caught(stack.here.jobs({ limit: -1 }))).toMatchObject({ code: "INVALID_ARGUMENT" })
  })
})

describe("here.schedule()", () => {
  test("starts jobs by the clock, until it is ended", async () => {
    const schedule = await stack.here.schedule("every-second", "* * * * * *", add, [20, 22])
    expect(schedule).toMatchObject({ name: "every-second", function: "add" })
    const id = await until(async () => {
      const [found] = await stack.here.schedules()
      return found?.lastJobId
    }, "a tick")
    expect(await stack.here.job(id).result()).toBe(42)
    expect(await stack.here.job(id).status()).toMatchObject({ schedule: "every-second" })
    await stack.here.unschedule("every-second")
    expect(await stack.here.schedules()).toEqual([])
    expect((await caught(stack.here.unschedule("every-second"))).code).toBe("NOT_FOUND")
  })

  test("refuses what is no schedule", async () => {
    const refused = [
      stack.here.schedule("x", "soon", add, [1, 2]),
      stack.here.schedule("x", "* * * * *", add, [1, 2], { timeZone: "Mars/Base" }),
      stack.here.schedule("x", "* * * * *", add, [1, 2], { attempts: 2 }),
    ]
    const errors = await Promise.all(refused.map((each) => caught(each)))
    for (const { code } of errors) expect(code).toBe("INVALID_ARGUMENT")
    expect(await stack.here.schedules()).toEqual([])
  })
})

test("a thousand jobs are started and fetched, and none is lost or mixed up", async () => {
  const numbers = Array.from({ length: 1_000 }, (_, index) => index)
  const jobs = await Promise.all(numbers.map((n) => add.start(n, n)))
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(1_000)
  const results = await Promise.all(jobs.map((job) => stack.here.job<number>(job.id).result()))
  expect(results).toEqual(numbers.map((n) => 2 * n))
}, 30_000)
