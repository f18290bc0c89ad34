import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { BunhouseError, fn } from "../../client/index.ts"
import { sourcePath } from "../../protocol/root.ts"
import { bundleInBackground, daemonProgram } from "../../server/entry.ts"
import { temporaryFolder } from "../support/folder.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

const cache = temporaryFolder()
let program: string
let stack: Stack
beforeAll(async () => {
  bundleInBackground(cache.path, {})
  await until(() => daemonProgram(cache.path, {}).endsWith(".js"), "the bundles to be made", 30_000)
  program = daemonProgram(cache.path, {})
  stack = await startStack({ program })
}, 40_000)
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  cache[Symbol.dispose]()
})

describe("a daemon that is started from its bundle", () => {
  test("runs async functions on a loop and sync ones on threads, both with the library at hand", async () => {
    const onLoop = await fn(
      async function onLoop(x: number) {
        const { context } = await import("bunhouse")
        return [x, context().function, process.argv[1]]
      },
      { name: "onLoop" },
    ).to(stack.here)
    const onThread = await fn(
      async function onThread(x: number) {
        const { context } = await import("bunhouse")
        return [x, context().function, Bun.isMainThread]
      },
      { name: "onThread", run: "thread" },
    ).to(stack.here)
    const [x, name, path] = await onLoop(1)
    expect([x, name]).toEqual([1, "onLoop"])
    expect(path).toBe(join(program, "../../envs/main.js"))
    expect(await onThread(2)).toEqual([2, "onThread", false])
    expect(onThread.sync(3)).toEqual([3, "onThread", false])
  })

  test("has threads that read the library when a function asks for it, and no sooner", async () => {
    const filesRead = await fn(
      async function filesRead(asks: boolean) {
        if (asks) await import("bunhouse")
        const { createRequire } = await import("node:module")
        return Object.keys(createRequire("/").cache)
      },
      { name: "filesRead", run: "thread" },
    ).to(stack.here.env("reading"))
    const library = join(program, "../../client/index.js")
    expect(await filesRead(false)).not.toContain(library)
    expect(await filesRead(true)).toContain(library)
  })

  test("calls back into the daemon from inside of an env, also sends functions from there", async () => {
    const nested = await fn(
      async function nested(x: number): Promise<number> {
        const { fn: send, here } = await import("bunhouse")
        const double = await send(async (y: number) => y * 2, { name: "double" }).to(here)
        return double(x)
      },
      { name: "nested" },
    ).to(stack.here.env("other"))
    expect(await nested(21)).toBe(42)
  })

  test("shows no line of its own in the stack of an error", async () => {
    const boom = await fn(
      async () => {
        throw new RangeError("boom")
      },
      { name: "boom" },
    ).to(stack.here)
    const thrown: unknown = await boom().catch((error: unknown) => error)
    expect(thrown).toBeInstanceOf(RangeError)
    expect(thrown instanceof RangeError && thrown.stack).toContain("RangeError: boom")
    expect(thrown instanceof RangeError && thrown.stack).not.toContain(cache.path)
  })

  test("is the very daemon that runs", () => {
    const command = readFileSync(`/proc/${stack.pid}/cmdline`, "utf8").split("\0")
    expect(command).toContain(program)
  })
})

describe.each(["bundle", "source"])(
  "a function on a thread of a daemon started from its %s",
  (form) => {
    let other: Stack
    beforeAll(async () => {
      other = await startStack({
        program: form === "bundle" ? program : sourcePath("server/main.ts"),
      })
    }, 40_000)
    afterAll(() => other[Symbol.asyncDispose]())

    test("throws an error of the library, which arrives as one", async () => {
      const full = await fn(
        async function full() {
          const library = await import("bunhouse")
          throw new library.BunhouseError("OVERLOADED", "full", {
            retryAfterMs: 50,
            path: "a.b",
            ran: "maybe",
          })
        },
        { name: "full", run: "thread" },
      ).to(other.here)
      const thrown: unknown = await full().catch((error: unknown) => error)
      expect(thrown).toBeInstanceOf(BunhouseError)
      expect(thrown).toMatchObject({
        code: "OVERLOADED",
        message: "full",
        ran: "maybe",
        path: "a.b",
        retryAfterMs: 50,
      })
    })

    test("knows the errors of its thread and of the calls that it makes", async () => {
      const known = await fn(
        async function known() {
          const library = await import("bunhouse")
          const codes: string[] = []
          const note = (error: unknown) => {
            codes.push(error instanceof library.BunhouseError ? error.code : String(error))
          }
          try {
            library.context().progress(2)
          } catch (error) {
            note(error)
          }
          await library.here.get("default/nothing").catch(note)
          return codes
        },
        { name: "known", run: "thread" },
      ).to(other.here)
      expect(await known()).toEqual(["INVALID_ARGUMENT", "NOT_FOUND"])
    })

    test("makes calls that know the call around them, blocking ones too", async () => {
      const depth = fn(async () => (await import("bunhouse")).context().depth, { name: "depth" })
      await depth.to(other.here)
      const nest = await fn(
        async function nest() {
          const { context } = await import("bunhouse")
          const inner = await context().here.get<() => Promise<number>>("default/depth")
          return [context().depth, await inner(), inner.sync()]
        },
        { name: "nest", run: "thread" },
      ).to(other.here)
      expect(await nest()).toEqual([0, 1, 1])
    })
  },
)

describe("bundleInBackground()", () => {
  test("makes nothing where BUNHOUSE_BUNDLE is 0, and such a start uses the source", () => {
    using folder = temporaryFolder()
    const environment = { BUNHOUSE_BUNDLE: "0" }
    bundleInBackground(folder.path, environment)
    expect(readdirSync(folder.path)).toEqual([])
    expect(daemonProgram(cache.path, environment)).toBe(sourcePath("server/main.ts"))
  })

  test("leaves bundles of these very sources alone, and takes those of others away", async () => {
    using folder = temporaryFolder()
    const other = folder.join("programs/0123456789abcdef/server/main.js")
    await Bun.write(other, "")
    expect(daemonProgram(folder.path, {})).toBe(sourcePath("server/main.ts"))
    bundleInBackground(folder.path, {})
    await until(() => daemonProgram(folder.path, {}).endsWith(".js"), "the bundles", 30_000)
    await until(() => !existsSync(other), "the old bundle to go")
  }, 40_000)
})
