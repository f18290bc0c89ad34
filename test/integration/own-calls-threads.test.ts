import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Remote } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { sendSignal } from "../support/processes.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Calls of functions to their own env in which threads take part: they stay in the process, too. */
let stack: Stack
let marks: Marks
beforeAll(async () => {
  stack = await startStack()
  marks = startMarks()
  const { here } = stack
  await fn(async (x: unknown) => x, { name: "onLoop" }).to(here)
  await fn((x: unknown) => x, { name: "onThread" }).to(here)
  await fn((x: unknown) => x, { name: "onThread" }).to(here.env("far"))
  await fn(
    function* (n: number) {
      for (let i = 0; i < n; i++) yield i
    },
    { name: "upTo" },
  ).to(here)
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "no call is left")
  marks[Symbol.dispose]()
  await stack[Symbol.asyncDispose]()
})

type Same = (x: unknown) => unknown
type Hundred = (name: string, readyAt: string, goAt: string, doneAt: string) => Promise<void>

async function sendHundred(
  way: "async" | "sync",
  run: "loop" | "thread",
): Promise<Remote<Hundred>> {
  const hundred = {
    async: async (name: string, readyAt: string, goAt: string, doneAt: string) => {
      const { context } = await import("bunhouse")
      const { existsSync } = await import("node:fs")
      const same = await context().here.get<Same>(name)
      await same.async(0)
      await Bun.write(readyAt, "")
      while (!existsSync(goAt)) await Bun.sleep(5)
      for (let i = 1; i <= 100; i++) if ((await same.async(i)) !== i) return
      await Bun.write(doneAt, "")
    },
    sync: async (name: string, readyAt: string, goAt: string, doneAt: string) => {
      const { context } = await import("bunhouse")
      const { existsSync, writeFileSync } = await import("node:fs")
      const same = await context().here.get<Same>(name)
      same.sync(0)
      writeFileSync(readyAt, "")
      while (!existsSync(goAt)) Bun.sleepSync(5)
      for (let i = 1; i <= 100; i++) if (same.sync(i) !== i) return
      writeFileSync(doneAt, "")
    },
  }
  return fn(hundred[way], { name: `hundred-${way}-${run}`, run }).to(stack.here)
}

describe("a call of a function to its own env", () => {
  test.each([
    ["from the loop to a thread", "async", "loop", "onThread"],
    ["from a thread to the loop, awaited", "async", "thread", "onLoop"],
    ["from a thread to a thread, awaited", "async", "thread", "onThread"],
    ["from a thread to the loop, blocking", "sync", "thread", "onLoop"],
    ["from a thread to a thread, blocking", "sync", "thread", "onThread"],
  ] as const)("%s, does not need the daemon", async (_what, way, run, name) => {
    const hundred = await sendHundred(way, run)
    const [ready, go, done] = [marks.next(), marks.next(), marks.next()]
    const call = hundred.async(name, ready, go, done)
    await until(() => isMarked(ready), "it to have its connection")
    sendSignal(stack.pid, "SIGSTOP")
    try {
      await Bun.write(go, "")
      await until(() => isMarked(done), "a hundred calls while the daemon stands still")
    } finally {
      sendSignal(stack.pid, "SIGCONT")
    }
    await call
  })

  test("from a thread, passes what is large and fails with what was thrown", async () => {
    await fn(
      () => {
        throw new RangeError("inner", { cause: "why" })
      },
      { name: "throws" },
    ).to(stack.here)
    const seen = await fn(
      async function seen(bytes: number) {
        const { context } = await import("bunhouse")
        const { here } = context()
        const value = { deep: [new Uint8Array(bytes).fill(7)] }
        const names = ["onLoop", "onThread", "far/onThread"]
        const remotes = await Promise.all(names.map((name) => here.get<Same>(name)))
        const areSame = remotes.map((same) => Bun.deepEquals(same.sync(value), value))
        const throws = await here.get<() => void>("throws")
        try {
          throws.sync()
        } catch (error) {
          if (!(error instanceof RangeError)) return { areSame }
          const { message, cause } = error
          return { areSame, message, cause, remote: Reflect.get(error, "remote") }
        }
        return { areSame }
      },
      { run: "thread" },
    ).to(stack.here)
    for (const bytes of [10, 20_000_000]) {
      expect(await seen.async(bytes)).toMatchObject({
        areSame: [true, true, true],
        message: "inner",
        cause: "why",
        remote: { env: "default", function: "throws", callId: expect.stringMatching(/\.\w+-\w+$/) },
      })
    }
  })

  test("from a thread, streams, blocking and awaited, and ends what nobody reads on", async () => {
    await fn(
      function* (n: number) {
        for (let i = 0; i < n; i++) yield i
      },
      { name: "upTo" },
    ).to(stack.here.env("far"))
    const totals = await fn(
      async function totals(n: number) {
        const { context } = await import("bunhouse")
        const sums: number[] = []
        for (const name of ["upTo", "far/upTo"]) {
          const upTo = await context().here.get<(n: number) => Generator<number>>(name)
          let sum = 0
          for (const i of upTo(n)) sum += i
          for await (const i of upTo.async(n)) sum += i
          for (const i of upTo(1e9)) if (i === 3) break
          sums.push(sum)
        }
        return sums
      },
      { run: "thread" },
    ).to(stack.here)
    expect(await totals.async(20_000)).toEqual([399_980_000, 399_980_000])
    const isIdle = async () => (await stack.here.env().status())?.ownCalls === 0
    await until(isIdle, "the endless ones to be ended")
  })

  test("from a thread that is blocked, prints for who called, and ends by its deadline", async () => {
    await fn((text: string) => console.log(text), { name: "prints" }).to(stack.here)
    await fn(() => Bun.sleepSync(400), { name: "sleeps" }).to(stack.here)
    const seen = await fn(
      async function seen() {
        const { context } = await import("bunhouse")
        const { here } = context()
        const lines: string[] = []
        const prints = await here.get<(text: string) => void>("prints")
        prints.with({ onLog: ({ text }) => void lines.push(text) }).sync("hello")
        const sleeps = await here.get<() => void>("sleeps")
        try {
          sleeps.with({ timeoutMs: 50 }).sync()
          return [lines, "no error"]
        } catch (error) {
          return [lines, Error.isError(error) && Reflect.get(error, "code")]
        }
      },
      { run: "thread" },
    ).to(stack.here)
    expect(await seen.async()).toEqual([["hello"], "DEADLINE_EXCEEDED"])
    await until(async () => (await stack.here.env().status())?.ownCalls === 0, "the thread back")
  })

  test("ends when its caller is cancelled while blocked, and the process stays", async () => {
    const at = marks.next()
    await fn(
      async (path: string) => {
        const { context } = await import("bunhouse")
        const { signal } = context()
        await Bun.write(`${path}.started`, "")
        await new Promise((resolve) => signal.addEventListener("abort", resolve))
        await Bun.write(`${path}.aborted`, "")
      },
      { name: "waits" },
    ).to(stack.here)
    const blocks = await fn(
      async function blocks(path: string) {
        const { context } = await import("bunhouse")
        const waits = await context().here.get<(path: string) => Promise<void>>("waits")
        waits.sync(path)
      },
      { run: "thread" },
    ).to(stack.here)
    const before = (await stack.here.env().status())?.pid
    const stop = new AbortController()
    const call = caught(blocks.with({ signal: stop.signal }).async(at))
    await until(() => isMarked(`${at}.started`), "the inner one to run")
    stop.abort()
    expect((await call).code).toBe("CANCELLED")
    await until(() => isMarked(`${at}.aborted`), "the inner one to hear of it")
    await until(async () => (await stack.here.env().status())?.ownCalls === 0, "its end")
    expect((await stack.here.env().status())?.pid).toBe(before ?? -1)
  })
})

describe("a thread that such a call has", () => {
  test("counts: others wait in the daemon, where they did not run, and get it when it is free", async () => {
    const env = stack.here.env("two", { threads: { max: 2 } })
    const held = await fn(
      async (path: string) => {
        const { existsSync, writeFileSync } = await import("node:fs")
        writeFileSync(`${path}.started`, "")
        while (!existsSync(`${path}.go`)) Bun.sleepSync(2)
        return path
      },
      { name: "held", run: "thread" },
    ).to(env)
    const holds = await fn(async function holds(...paths: string[]) {
      const { context } = await import("bunhouse")
      const inner = await context().here.get<(path: string) => Promise<string>>("two/held")
      return Promise.all(paths.map((path) => inner.async(path)))
    }).to(env)
    const [first, second, third] = [marks.next(), marks.next(), marks.next()]
    const both = holds(first, second)
    await until(
      () => isMarked(`${first}.started`) && isMarked(`${second}.started`),
      "both threads to be taken",
    )
    expect((await env.status())?.ownCalls).toBe(2)
    const late = await caught(held.with({ timeoutMs: 100 }).async(third))
    expect(late).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "no" })
    const waits = held.async(third)
    await Bun.write(`${third}.go`, "")
    await until(async () => (await env.status())?.queued === 1, "it to wait in the daemon")
    await Bun.write(`${first}.go`, "")
    expect(await waits).toBe(third)
    await Bun.write(`${second}.go`, "")
    expect(await both).toEqual([first, second])
  })

  test("is held by a call that is blocked, also on the way through another env", async () => {
    type Chain = (names: string[]) => Promise<number>
    for (const [name, max] of [["narrow", 2] as const, ["wide", 4] as const]) {
      await fn(
        async function chain([next, ...rest]: string[]): Promise<number> {
          const { here } = await import("bunhouse")
          if (next === undefined) return 0
          return (await here.get<Chain>(`${next}/chain`)).sync(rest) + 1
        },
        { run: "thread" },
      ).to(stack.here.env(name, { threads: { max } }))
    }
    const chain = await stack.here.get<Chain>("narrow/chain")
    expect(await chain(["narrow", "wide"])).toBe(2)
    const error = await caught(chain(["narrow", "wide", "narrow"]))
    expect(error).toMatchObject({ code: "DEADLOCK", ran: "no", env: "narrow" })
    expect(error.message).toContain("all 2 places")
    expect(await chain(["wide", "wide", "narrow"])).toBe(3)
  })
})
