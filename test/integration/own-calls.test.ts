import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type LogLine, type Remote } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { sendSignal } from "../support/processes.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Calls that functions make to functions of their own env, which stay in its process. */
let stack: Stack
let marks: Marks
/** Calls the function of its env by that name, with these arguments. */
let pass: Remote<(name: string, ...args: unknown[]) => Promise<unknown>>
let asks: Remote<() => Promise<Told>>

type Told = { callId: string; depth: number; rootCallId: string; leftMs: number }

beforeAll(async () => {
  stack = await startStack()
  marks = startMarks()
  const { here } = stack
  pass = await fn(
    async (name: string, ...args: unknown[]) => {
      const { context } = await import("bunhouse")
      return (await context().here.get(name)).async(...args)
    },
    { name: "pass" },
  ).to(here)
  await fn(async (x: unknown) => x, { name: "same" }).to(here)
  await fn(
    async (): Promise<Told> => {
      const { context } = await import("bunhouse")
      const { callId, depth, rootCallId, deadline } = context()
      return { callId, depth, rootCallId, leftMs: Number(deadline) - Date.now() }
    },
    { name: "tell" },
  ).to(here)
  asks = await fn(
    async () => {
      const { context } = await import("bunhouse")
      const tell = await context().here.get<() => Promise<Told>>("tell")
      return tell()
    },
    { name: "asks" },
  ).to(here)
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "no call is left")
  marks[Symbol.dispose]()
  await stack[Symbol.asyncDispose]()
})

/** Whether a call has an id that the daemon gives. */
function isOfTheDaemon(callId: string): boolean {
  return /^\w{8}-\w+$/.test(callId)
}

describe("a call of a function to its own env", () => {
  test("stays in the process: it does not need the daemon", async () => {
    const [ready, go, done] = [marks.next(), marks.next(), marks.next()]
    await fn(
      async (readyAt: string, goAt: string, doneAt: string) => {
        const { context } = await import("bunhouse")
        const { existsSync } = await import("node:fs")
        const same = await context().here.get<(x: number) => Promise<number>>("same")
        await same(0)
        await Bun.write(readyAt, "")
        while (!existsSync(goAt)) await Bun.sleep(5)
        for (let i = 1; i <= 100; i++) if ((await same(i)) !== i) return
        await Bun.write(doneAt, "")
      },
      { name: "hundred" },
    ).to(stack.here)
    const hundred = await stack.here.get<(...paths: string[]) => Promise<void>>("hundred")
    const call = hundred(ready, go, done)
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

  test("has its place in the chain, an id of its own, and the deadline of the call around it", async () => {
    const hurried = asks.with({ timeoutMs: 5_000 })
    const both = await Promise.all([hurried(), hurried()])
    for (const { callId, depth, rootCallId, leftMs } of both) {
      expect(isOfTheDaemon(callId)).toBe(false)
      expect(isOfTheDaemon(rootCallId)).toBe(true)
      expect(depth).toBe(1)
      expect(leftMs).toBeLessThanOrEqual(5_000)
    }
    expect(new Set(both.map(({ callId }) => callId)).size).toBe(2)
  })

  test("copies what it passes, large or small", async () => {
    const isCopied = await fn(
      async (bytes: number) => {
        const { context } = await import("bunhouse")
        const same = await context().here.get<(x: object) => Promise<object>>("same")
        const value = { deep: [new Uint8Array(bytes).fill(1)] }
        const back = await same(value)
        return back !== value && Bun.deepEquals(back, value)
      },
      { name: "isCopied" },
    ).to(stack.here)
    expect(await isCopied(3)).toBe(true)
    expect(await isCopied(9_000_000)).toBe(true)
  })

  test("fails with what was thrown, and who it was", async () => {
    await fn(
      async () => {
        throw new RangeError("inner")
      },
      { name: "throws" },
    ).to(stack.here)
    const seen = await fn(
      async () => {
        const { context } = await import("bunhouse")
        const throws = await context().here.get("throws")
        const error = await throws.async().catch((thrown: unknown) => thrown)
        if (!(error instanceof RangeError)) return "another error"
        return { message: error.message, remote: Reflect.get(error, "remote") }
      },
      { name: "sees" },
    ).to(stack.here)
    expect(await seen()).toMatchObject({
      message: "inner",
      remote: { env: "default", function: "throws", version: expect.any(String) },
    })
  })

  test("streams", async () => {
    await fn(
      async function* (n: number) {
        for (let i = 0; i < n; i++) yield i
      },
      { name: "upTo" },
    ).to(stack.here)
    const total = await fn(
      async (n: number) => {
        const { context } = await import("bunhouse")
        const upTo = await context().here.get<(n: number) => AsyncGenerator<number>>("upTo")
        let sum = 0
        for await (const i of upTo(n)) sum += i
        for await (const i of upTo(1e9)) if (i === 3) break
        return sum
      },
      { name: "totalOf" },
    ).to(stack.here)
    expect(await total(100_000)).toBe(4_999_950_000)
  })

  test("prints for the function that made it", async () => {
    await fn(async (text: string) => console.log(text), { name: "prints" }).to(stack.here)
    const listens = await fn(
      async () => {
        const { context } = await import("bunhouse")
        const lines: LogLine[] = []
        const prints = await context().here.get<(text: string) => Promise<void>>("prints")
        await prints.with({ onLog: (line) => void lines.push(line) })("hello")
        return lines.map(({ function: name, text }) => [name, text])
      },
      { name: "listens" },
    ).to(stack.here)
    expect(await listens()).toEqual([["prints", "hello"]])
  })

  test("ends by its own deadline, and is told of it", async () => {
    const path = marks.next()
    await fn(
      async (at: string) => {
        const { context } = await import("bunhouse")
        const { signal } = context()
        await new Promise((resolve) => signal.addEventListener("abort", resolve))
        await Bun.write(at, "")
      },
      { name: "waits" },
    ).to(stack.here)
    const hurries = await fn(
      async (at: string) => {
        const { context } = await import("bunhouse")
        const waits = await context().here.get<(at: string) => Promise<void>>("waits")
        const error = await waits
          .with({ timeoutMs: 100 })(at)
          .catch((thrown: unknown) => thrown)
        return error instanceof Error && "code" in error
          ? `${String(error.code)}: ${error.message}`
          : String(error)
      },
      { name: "hurries" },
    ).to(stack.here)
    expect(await hurries(path)).toStartWith("DEADLINE_EXCEEDED: default/waits: the deadline passed")
    await until(() => isMarked(path), "the function to hear of it")
  })

  test("is cancelled with the call around it", async () => {
    const path = marks.next()
    const stop = new AbortController()
    const call = pass.with({ signal: stop.signal })("waits", path)
    void call.catch(() => {})
    await until(async () => (await stack.here.status()).callsInFlight === 1, "it to run")
    await until(
      async () => (await stack.here.env().status())?.ownCalls === 1,
      "the inner one to run",
    )
    stop.abort()
    expect((await caught(call)).code).toBe("CANCELLED")
    await until(() => isMarked(path), "the inner function to hear of it")
  })

  test("goes to the daemon with an idempotency key, and to other envs", async () => {
    const ids = await fn(
      async () => {
        const { context } = await import("bunhouse")
        const tell = await context().here.get<() => Promise<Told>>("tell")
        const far = await context().here.get<() => Promise<Told>>("far/tell")
        const keyed = tell.with({ idempotencyKey: context().callId })
        const told = [await keyed(), await keyed(), await far(), await tell()]
        return told.map(({ callId }) => callId)
      },
      { name: "ids" },
    ).to(stack.here)
    await fn(
      async (): Promise<Partial<Told>> => {
        const { context } = await import("bunhouse")
        return { callId: context().callId }
      },
      { name: "tell" },
    ).to(stack.here.env("far"))
    const [first = "", again = "", far = "", own = ""] = await ids()
    expect(again).toBe(first)
    expect([first, far, own].map(isOfTheDaemon)).toEqual([true, true, false])
  })
})
