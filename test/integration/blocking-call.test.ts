import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { BunhouseError, type ConnectOptions, fn } from "../../client/index.ts"
import { Link } from "../../client/link.ts"
import { makeRemote } from "../../client/remote.ts"
import { writeProgram } from "../support/program.ts"
import { type Stack, startStack } from "../support/stack.ts"

/** Blocking calls, by a program for each call and by a resident thread: the same results, the same errors. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
  const { here } = stack
  await fn((...args: unknown[]) => args, { name: "echo" }).to(here)
  await fn(async (...args: unknown[]) => args, { name: "echoAsync" }).to(here)
  await fn((x: unknown) => x, { name: "same" }).to(here)
  await fn(
    (kind: string) => {
      if (kind === "null") throw null
      if (kind === "undefined") throw undefined
      if (kind === "text") throw "text"
      if (kind === "object") throw { code: 7 }
      throw Object.assign(new RangeError("bad", { cause: new TypeError("deep") }), { at: 3 })
    },
    { name: "boom" },
  ).to(here)
  await fn(() => ({ f: () => 1 }), { name: "unsendable" }).to(here)
  await fn((n: number) => new Uint8Array(n), { name: "bytes" }).to(here)
  await fn(() => process.exit(3), { name: "exit" }).to(here)
  await fn((x: number) => Promise.resolve(x), { name: "promised" }).to(here)
})
afterAll(() => stack[Symbol.asyncDispose]())

const WAYS = [["spawn"], ["resident"]] as const
type Any = (...args: unknown[]) => unknown

/** How a call ended, in a form in which two ends can be compared. */
function endOf(call: () => unknown): { returned: unknown } | { threw: unknown } {
  try {
    return { returned: call() }
  } catch (error) {
    if (error instanceof BunhouseError) {
      const { code, ran, path, env, function: name } = error
      return { threw: { code, ran, path, env, function: name, message: error.message } }
    }
    if (error instanceof Error) {
      const { name, message, cause } = error
      return { threw: { name, message, cause, at: "at" in error ? error.at : undefined } }
    }
    return { threw: error }
  }
}

async function bothEnds(name: string, ...args: unknown[]) {
  const ends = []
  for (const [blocking] of WAYS) {
    using client = stack.connect({ blocking })
    const remote = await client.get<Any>(name)
    ends.push(endOf(() => remote.sync(...args)))
  }
  return ends
}

describe("both ways of a blocking call", () => {
  test.each([
    ["a number", [1]],
    ["nothing", []],
    ["undefined and null", [undefined, null]],
    ["falsy values", [0, -0, "", false, Number.NaN, 0n]],
    ["deep values", [{ a: [new Map([["k", new Set([1n])]])] }, new Date(5), /x/g]],
    ["bytes", [new Uint8Array([1, 2, 3])]],
    ["a lone surrogate", ["\ud800"]],
  ])("carry %s there and back", async (_what, args) => {
    for (const name of ["echo", "echoAsync"]) {
      const [spawn, resident] = await bothEnds(name, ...args)
      expect(spawn).toEqual({ returned: args })
      expect(resident).toEqual({ returned: args })
    }
  })

  test("carry undefined, false and null as the result itself", async () => {
    for (const value of [undefined, null, false, 0, ""]) {
      expect(await bothEnds("same", value)).toEqual([{ returned: value }, { returned: value }])
    }
  })

  test("carry five megabytes there and back", async () => {
    const bytes = new Uint8Array(5_000_000).fill(7)
    for (const end of await bothEnds("same", bytes)) expect(end).toEqual({ returned: bytes })
    for (const end of await bothEnds("bytes", 5_000_000)) {
      expect(end).toEqual({ returned: new Uint8Array(5_000_000) })
    }
  })

  test.each([["error"], ["null"], ["undefined"], ["text"], ["object"]])(
    "throw what the function throws: %s",
    async (kind) => {
      const [spawn, resident] = await bothEnds("boom", kind)
      expect(spawn).toHaveProperty("threw")
      expect([resident]).toEqual([spawn])
    },
  )

  test.each([
    ["an argument that cannot be sent", "echo", [{ f: () => 1 }], "VALUE_NOT_SENDABLE", "no"],
    ["a result that cannot be sent", "unsendable", [], "VALUE_NOT_SENDABLE", "yes"],
    ["too many bytes to send", "same", [new Uint8Array(70_000_000)], "PAYLOAD_TOO_LARGE", "no"],
    ["too many bytes to return", "bytes", [70_000_000], "PAYLOAD_TOO_LARGE", "yes"],
    ["a thread that ends", "exit", [], "WORKER_LOST", "maybe"],
  ])("fail alike for %s", async (_what, name, args, code, ran) => {
    const [spawn, resident] = await bothEnds(name, ...args)
    expect(spawn).toMatchObject({ threw: { code, ran } })
    expect([resident]).toEqual([spawn])
  })

  test("fail alike for a function that was deleted", async () => {
    const env = stack.here.env("mortal")
    await fn(() => 1, { name: "gone" }).to(env)
    const remotes = await Promise.all(
      WAYS.map(([blocking]) => stack.connect({ blocking }).get<Any>("mortal/gone")),
    )
    await env.remove()
    const [spawn, resident] = remotes.map((remote) => endOf(() => remote()))
    expect(spawn).toMatchObject({ threw: { code: "NOT_FOUND", ran: "no" } })
    expect([resident]).toEqual([spawn])
  })

  test("fail alike for a wrong token and for nobody who listens", async () => {
    const elsewhere = [
      [{ token: "not-the-token-of-this-daemon" }, "UNAUTHENTICATED"],
      [{ url: "http://127.0.0.1:1" }, "NO_DAEMON"],
    ] as const
    for (const [options, code] of elsewhere) {
      const ends = []
      for (const [blocking] of WAYS) {
        ends.push(endOf(() => callThere({ ...options, blocking })))
      }
      expect(ends[0]).toMatchObject({ threw: { code, ran: "no" } })
      expect([ends[1]]).toEqual([ends[0]])
    }
  })

  test("fail alike for another program that listens there", async () => {
    // In a process of its own: this one is blocked meanwhile.
    const code = `const server = Bun.serve({ port: 0, hostname: "127.0.0.1",
      fetch: () => new Response("hello", { status: Number(process.env["STATUS"]) }) })
      console.log(server.url.href)`
    for (const status of [200, 404]) {
      using program = writeProgram(stack, code, "type Daemon")
      const other = program.start({ STATUS: String(status) })
      const { value } = await other.stdout.getReader().read()
      const url = Buffer.from(value ?? new Uint8Array())
        .toString()
        .trim()
      for (const [blocking] of WAYS) {
        const end = endOf(() => callThere({ url, blocking }))
        expect(end).toMatchObject({ threw: { code: "UNAVAILABLE", ran: "no" } })
      }
    }
  })

  test("make twenty calls one after another", async () => {
    for (const [blocking] of WAYS) {
      using client = stack.connect({ blocking })
      const same = await client.get<(x: number) => number>("same")
      for (let i = 0; i < 20; i++) expect(same(i)).toBe(i)
    }
  })

  test("hand out a settled promise for a sync function that returns one", async () => {
    for (const [blocking] of WAYS) {
      using client = stack.connect({ blocking })
      const promised = await client.get<(x: number) => Promise<number>>("promised")
      const promise = promised(5)
      expect(promise).toBeInstanceOf(Promise)
      expect(await promise).toBe(5)
      expect(promised.sync(6)).toBe(6)
    }
  })
})

/** A blocking call of a function that nobody looked up before: the client may not be let in. */
function callThere(options: ConnectOptions): unknown {
  const link = new Link({ url: stack.url, token: stack.token, ...options }, {})
  const info = { env: "default", name: "same", kind: "sync", run: "thread", version: "" } as const
  return makeRemote<Any>({ link, info, local: undefined, options: {} })(1)
}
