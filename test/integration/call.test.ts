import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { type Stack, startStack } from "../support/stack.ts"

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

describe("a remote function", () => {
  test("gives what the local one gives, in each way of calling, for each kind", async () => {
    const { here } = stack
    const plus = await fn(async function plus(a: number, b: number) {
      return a + b
    }).to(here)
    const minus = await fn(function minus(a: number, b: number) {
      return a - b
    }).to(here)
    expect(await plus(1, 2)).toBe(3)
    expect(await plus.async(1, 2)).toBe(3)
    expect(plus.sync(1, 2)).toBe(3)
    expect(minus(5, 3)).toBe(2)
    expect(await minus.async(5, 3)).toBe(2)
    expect(minus.sync(5, 3)).toBe(2)
    expect(plus.info).toMatchObject({ env: "default", name: "plus", kind: "async", run: "loop" })
    expect(minus.info).toMatchObject({ kind: "sync", run: "thread" })
    expect(minus.local?.(5, 3)).toBe(2)
  })

  test("runs in another process, and a sync one on another thread", async () => {
    const where = await fn(async function where() {
      return { pid: process.pid, isMainThread: Bun.isMainThread }
    }).to(stack.here)
    const whereSync = await fn(function whereSync() {
      return { pid: process.pid, isMainThread: Bun.isMainThread }
    }).to(stack.here)
    const loop = await where()
    const thread = whereSync()
    expect(loop.isMainThread).toBe(true)
    expect(thread.isMainThread).toBe(false)
    expect(thread.pid).toBe(loop.pid)
    expect(loop.pid).not.toBe(process.pid)
    expect(loop.pid).not.toBe(stack.pid)
  })

  test("is found by name from another client, with its kind", async () => {
    await fn(async function shared(x: string) {
      return x.toUpperCase()
    }).to(stack.here.env("letters"))
    const other = stack.connect()
    const shared = await other.get<(x: string) => Promise<string>>("letters/shared")
    expect(await shared("a")).toBe("A")
    expect(shared.local).toBeUndefined()
  })

  test("keeps identity and cycles of its arguments and results", async () => {
    const look = await fn(async function look(a: { self?: unknown }, b: unknown) {
      return { same: a === b, isCycle: a.self === a, a }
    }).to(stack.here)
    const value: { self?: unknown } = {}
    value.self = value
    const seen = await look(value, value)
    expect(seen.same).toBe(true)
    expect(seen.isCycle).toBe(true)
    expect(seen.a.self).toBe(seen.a)
  })

  test("is changed by sending another one under its name", async () => {
    const first = await fn(async () => 1, { name: "changing" }).to(stack.here)
    expect(await first()).toBe(1)
    const second = await fn(async () => 2, { name: "changing" }).to(stack.here)
    expect(await second()).toBe(2)
    expect(await first()).toBe(2)
    expect(second.info.version).not.toBe(first.info.version)
  })

  test("can be deleted, and is unknown from then on", async () => {
    const gone = await fn(async () => 1, { name: "gone" }).to(stack.here.env("mortal"))
    expect(await gone()).toBe(1)
    await stack.here.env("mortal").remove()
    const error = await caught(gone())
    expect(error).toMatchObject({ code: "NOT_FOUND", ran: "no" })
    expect(await stack.here.env("mortal").status()).toBeUndefined()
  })

  test("that is sync and returns a promise hands out a settled promise, and says so once", async () => {
    const later = await fn(function later(x: number) {
      return Promise.resolve(x)
    }).to(stack.here)
    const fails = await fn(function fails(): Promise<number> {
      return Promise.reject(new RangeError("no"))
    }).to(stack.here)
    const promise = later(7)
    expect(promise).toBeInstanceOf(Promise)
    expect(await promise).toBe(7)
    expect(later.sync(8)).toBe(8)
    expect(await later.async(9)).toBe(9)
    expect(fails()).rejects.toThrow(RangeError)
  })
})

describe("a call", () => {
  test("of an unknown function or env says so", async () => {
    const error = await caught(stack.here.get("nowhere/nothing"))
    expect(error).toMatchObject({ code: "NOT_FOUND", ran: "no" })
    expect(error.message).toContain("nowhere")
  })

  test("with an argument that cannot be sent names its path, and nothing is sent", async () => {
    const take = await fn(async function take(_x: unknown) {
      return 1
    }).to(stack.here)
    const { callsInFlight } = await stack.here.status()
    const error = await caught(take({ user: { save() {} } }))
    expect(error).toMatchObject({
      code: "VALUE_NOT_SENDABLE",
      path: "args[0].user.save",
      ran: "no",
    })
    expect((await stack.here.status()).callsInFlight).toBe(callsInFlight)
  })

  test("whose result cannot be sent says that the function ran", async () => {
    const bad = await fn(async function bad() {
      return { list: [() => 1] }
    }).to(stack.here)
    const error = await caught(bad())
    expect(error).toMatchObject({ code: "VALUE_NOT_SENDABLE", path: "result.list[0]", ran: "yes" })
  })
})

describe("what a function throws", () => {
  test("arrives with class, message, own properties, cause and remote stack", async () => {
    const boom = await fn(async function boom() {
      const cause = new RangeError("inner")
      throw Object.assign(new TypeError("outer", { cause }), { status: 418 })
    }).to(stack.here)
    const error = await boom().catch((thrown: unknown) => thrown)
    if (!(error instanceof TypeError)) throw error
    expect(error.message).toBe("outer")
    expect(error).toMatchObject({ status: 418 })
    expect(error.cause).toBeInstanceOf(RangeError)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what errors carry is in no type
    const { remote } = error as unknown as { remote: Record<string, string> }
    expect(remote).toMatchObject({ env: "default", function: "boom" })
    expect(remote["stack"]).toContain("boom")
    expect(remote["stack"]).not.toContain("/envs/loop.ts")
    expect(remote["callId"]).toMatch(/^[0-9a-f]{8}-[0-9a-z]+$/)
  })

  test("arrives alike from a thread, awaited and blocking", async () => {
    const boom = await fn(function boomSync(): never {
      throw Object.assign(new SyntaxError("sync"), { at: 3 })
    }).to(stack.here)
    expect(boom).toThrow(SyntaxError)
    const error: unknown = await boom.async().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(SyntaxError)
    expect(error).toMatchObject({ at: 3, message: "sync" })
  })

  test.each([[null], [undefined], [0], [""], ["text"], [{ code: 1 }]])(
    "survives when it is %p",
    async (value) => {
      const rethrow = await fn(async function rethrow(x: unknown) {
        throw x
      }).to(stack.here)
      const thrown = await rethrow(value).then(
        () => "nothing was thrown",
        (error: unknown) => ({ error }),
      )
      expect(thrown).toEqual({ error: value })
    },
  )
})
