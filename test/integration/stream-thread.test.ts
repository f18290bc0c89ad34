import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Target } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"
import { sendSignal } from "../support/processes.ts"

/** Sync generator functions: on threads, and blocking by default. */
let stack: Stack
let marks: Marks
beforeAll(async () => {
  stack = await startStack()
  marks = startMarks()
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "all calls to end")
  await stack[Symbol.asyncDispose]()
  marks[Symbol.dispose]()
})

async function sendCount(target: Target = stack.here) {
  return fn(function* count(n: number, failAt = -1) {
    for (let i = 0; i < n; i++) {
      if (i === failAt) throw new RangeError(`no ${i}`)
      yield i
    }
    return { counted: n }
  }).to(target)
}

/** Counts without end; leaves `<mark>.finally` when it ends. */
async function sendEndless(target: Target) {
  return fn(function* endless(mark: string, pauseMs = 0): Generator<number, void, void> {
    const { writeFileSync } = require("node:fs")
    try {
      for (let i = 0; ; i++) {
        if (pauseMs > 0) Bun.sleepSync(pauseMs)
        yield i === 0 ? process.pid : i
      }
    } finally {
      writeFileSync(`${mark}.finally`, "")
    }
  }).to(target)
}

async function drain(items: AsyncGenerator | Generator) {
  const seen: unknown[] = []
  try {
    for (;;) {
      const step = await items.next()
      if (step.done) return { seen, returned: step.value }
      seen.push(step.value)
    }
  } catch (thrown) {
    return { seen, thrown }
  }
}

async function ways() {
  const count = await sendCount()
  const resident = stack.connect({ blocking: "resident" })
  const again = await resident.get<typeof count>("default/count")
  return [
    ["called", count],
    [".sync()", count.sync],
    [".async()", count.async],
    ["called by a thread", again],
  ] as const
}

describe("a sync generator function", () => {
  test("gives its items in order and then what it returns, each way", async () => {
    for (const [way, call] of await ways()) {
      const { seen, returned } = await drain(call(20_000))
      expect([way, seen]).toEqual([way, Array.from({ length: 20_000 }, (_, i) => i)])
      expect(returned).toEqual({ counted: 20_000 })
      expect((await drain(call(0))).seen).toEqual([])
    }
  })

  test("throws in the middle, after exactly the items before, each way", async () => {
    for (const [way, call] of await ways()) {
      const { seen, thrown } = await drain(call(5_000, 3_333))
      expect([way, seen.length]).toEqual([way, 3_333])
      expect(thrown).toBeInstanceOf(RangeError)
    }
  })

  test("runs on a thread, whose env's loop goes on", async () => {
    const place = await fn(function* place() {
      yield Bun.isMainThread
      Bun.sleepSync(300)
      yield Bun.isMainThread
    }).to(stack.here)
    const ping = await fn(async function ping() {
      return "pong"
    }).to(stack.here)
    expect(place.info).toMatchObject({ kind: "syncGenerator", run: "thread" })
    const items = place.async()
    expect((await items.next()).value).toBe(false)
    expect(await ping()).toBe("pong")
    expect((await items.next()).value).toBe(false)
    expect((await items.next()).done).toBe(true)
  })

  test("can run on the loop, and an async generator on a thread", async () => {
    const onLoop = await fn(
      function* () {
        yield Bun.isMainThread
      },
      { name: "onLoop", run: "loop" },
    ).to(stack.here)
    const onThread = await fn(
      async function* () {
        const { context } = await import("bunhouse")
        yield Bun.isMainThread
        yield context().function
      },
      { name: "onThread", run: "thread" },
    ).to(stack.here)
    expect([...onLoop(), ...onThread.sync()]).toEqual([true, false, "onThread"])
  })

  test("gives an item when it is yielded, however long the next one takes", async () => {
    const slow = await fn(function* slow(mark: string) {
      const { existsSync } = require("node:fs")
      yield "first"
      while (!existsSync(mark)) Bun.sleepSync(5)
      yield "second"
    }).to(stack.here)
    const mark = marks.next()
    const items = slow.async(mark)
    expect(await items.next()).toMatchObject({ value: "first" })
    await Bun.write(mark, "")
    expect(await items.next()).toMatchObject({ value: "second" })
    await items.return(undefined)
  })

  test("pauses when its reader does", async () => {
    const ahead = await fn(function* ahead(mark: string): Generator<number, void, void> {
      const { writeFileSync } = require("node:fs")
      for (let i = 1; ; i++) {
        writeFileSync(mark, String(i))
        yield i
      }
    }).to(stack.here)
    const mark = marks.next()
    const items = ahead.with({ stream: { window: 10 } }).async(mark)
    await items.next()
    await until(async () => Number(await Bun.file(mark).text()) >= 10, "the window to be full")
    await Bun.sleep(50)
    expect(Number(await Bun.file(mark).text())).toBeLessThanOrEqual(11)
    for (let i = 2; i <= 100; i++) expect(await items.next()).toMatchObject({ value: i })
    await items.return(undefined)
  })
})

describe("a stream from a thread that its reader ends", () => {
  test("runs the generator's finally, and keeps the thread", async () => {
    const endless = await sendEndless(stack.here)
    for (const call of [endless, endless.async]) {
      const mark = marks.next()
      let count = 0
      for await (const _ of call(mark)) if (++count === 100) break
      await until(() => isMarked(`${mark}.finally`), "the generator's finally to run")
    }
  })

  test("ends the thread when the generator does not hear of it", async () => {
    const spin = await fn(function* spin(mark: string): Generator<number, void, void> {
      yield 1
      require("node:fs").writeFileSync(mark, "")
      for (;;);
    }).to(stack.here.env("spin"))
    const mark = marks.next()
    const items = spin.async(mark)
    expect(await items.next()).toMatchObject({ value: 1 })
    await until(() => isMarked(mark), "the generator to spin")
    await items.return(undefined)
    const env = stack.here.env("spin")
    await until(async () => (await env.status())?.running === 0, "the place to be free")
    expect(await (await sendCount(env)).async(1).next()).toMatchObject({ value: 0 })
  })

  test("never begins when it still waits for its place", async () => {
    const env = stack.here.env("one", { threads: { max: 1 } })
    const endless = await sendEndless(env)
    const [first, second] = [marks.next(), marks.next()]
    const running = endless.async(first)
    await running.next()
    const waiting = endless.async(second)
    const next = waiting.next()
    await until(async () => (await env.status())?.queued === 1, "the second to wait")
    await waiting.return(undefined)
    expect((await next).done).toBe(true)
    await running.return(undefined)
    await until(() => isMarked(`${first}.finally`), "the first to end")
    expect(await (await sendCount(env)).async(1).next()).toMatchObject({ value: 0 })
    expect(isMarked(`${second}.finally`)).toBe(false)
  })
})

describe("a stream from a thread that ends by itself", () => {
  test("at its deadline: finally runs", async () => {
    const endless = await sendEndless(stack.here)
    for (const call of [endless.with({ timeoutMs: 400 }), endless.with({ timeoutMs: 400 }).async]) {
      const mark = marks.next()
      const error = await caught(async () => {
        for await (const _ of call(mark, 1)) {
          // Reads on.
        }
      })
      expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe" })
      await until(() => isMarked(`${mark}.finally`), "the generator's finally to run")
    }
  })

  test("when the thread ends under it, after items that were received", async () => {
    const exits = await fn(function* exits() {
      yield 1
      Bun.sleepSync(50)
      process.exit(3)
      yield 2
    }).to(stack.here)
    const items = exits.async()
    expect(await items.next()).toMatchObject({ value: 1 })
    expect(await caught(items.next())).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    expect(await caught(() => [...exits()])).toMatchObject({ code: "WORKER_LOST" })
  })

  test("when the env process is killed", async () => {
    const env = stack.here.env("killed")
    const endless = await sendEndless(env)
    const items = endless.async(marks.next(), 1)
    const { value: pid } = await items.next()
    expect(await items.next()).toMatchObject({ value: 1 })
    sendSignal(Number(pid), "SIGKILL")
    const error = await caught(async () => Array.fromAsync(items))
    expect(error).toMatchObject({ code: "WORKER_LOST", ran: "maybe", env: "killed" })
  })

  test("when an item cannot be sent", async () => {
    const bad = await fn(function* bad(mark: string) {
      const { writeFileSync } = require("node:fs")
      try {
        yield 1
        yield () => 1
      } finally {
        writeFileSync(mark, "")
      }
    }).to(stack.here)
    const mark = marks.next()
    const { seen, thrown } = await drain(bad.async(mark))
    expect({ seen, thrown }).toMatchObject({
      seen: [1],
      thrown: { code: "VALUE_NOT_SENDABLE", ran: "yes" },
    })
    expect(isMarked(mark)).toBe(true)
  })
})

describe("many streams from threads", () => {
  test("run at the same time, beside calls, and each is whole", async () => {
    const env = stack.here.env("many", { threads: { max: 8 } })
    const count = await sendCount(env)
    const add = await fn((a: number, b: number) => a + b, { name: "add" }).to(env)
    const streams = Array.from({ length: 24 }, async (_, i) => {
      const { seen, returned } = await drain(count.async(1_000 + i))
      expect(seen).toHaveLength(1_000 + i)
      expect(returned).toEqual({ counted: 1_000 + i })
    })
    const sums = Array.from({ length: 50 }, (_, i) => add.async(i, 1))
    expect(await Promise.all(sums)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
    await Promise.all(streams)
  })
})
