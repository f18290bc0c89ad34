import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { context, fn } from "../../client/index.ts"
import { SOURCE_BYTES_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { failing } from "./fixtures/barrel.ts"
import fail, { measure, scaled } from "./fixtures/measures.ts"
import * as measures from "./fixtures/measures.ts"

let stack: Stack
let folder: TemporaryFolder
beforeAll(async () => {
  stack = await startStack()
  folder = temporaryFolder()
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const LOCAL = 5
const FIXTURES = join(import.meta.dir, "fixtures")
const jobs = {
  async plus(this: void, x: number) {
    return jobs.helper(x) + LOCAL
  },
  helper(x: number) {
    return x + 1
  },
}

/** Frames of the error that a call rejects with. */
async function frames(call: Promise<unknown>): Promise<string[]> {
  let thrown: unknown
  try {
    await call
  } catch (error) {
    thrown = error
  }
  return String(Object(thrown).remote.stack).split("\n").slice(1)
}

async function lineOf(file: string, text: string): Promise<number> {
  const lines = (await Bun.file(file).text()).split("\n")
  return lines.findIndex((line) => line.includes(text)) + 1
}

async function sendFile(name: string, text: string): Promise<unknown> {
  await Bun.write(folder.join(name), text)
  const { f }: { f: () => unknown } = await import(folder.join(name))
  return await fn(f).to(stack.here)
}

/** A module that is at least this long, also when it is bundled. */
function largeText(bytes: number): string {
  const lines = `${JSON.stringify("y".repeat(988))},\n`.repeat(bytes / 1000)
  return `export const large = [\n${lines}].length`
}

describe("a function that needs its file", () => {
  test("brings along imports, declarations, JSON, text and enums", async () => {
    const remote = await fn(measure).to(stack.here)
    expect(remote({ name: "x" })).toBe(measure({ name: "x" }))
    expect(await remote.async({ name: "y" })).toBe(measure({ name: "y" }))
  })

  test("may be written in place, be a method, or be imported in any way", async () => {
    const inline = fn(async (x: number) => scaled(x) + LOCAL, { name: "inline" })
    expect(await (await inline.to(stack.here))(1)).toBe(scaled(1) + LOCAL)
    const method = await fn(jobs.plus).to(stack.here)
    expect(await method(1)).toBe(7)
    const member = await fn(measures.scaled).to(stack.here)
    expect(member(2)).toBe(scaled(2))
    for (const f of [fail, failing, measures.default]) {
      const remote = await fn(f, { name: "fails" }).to(stack.here)
      const error: unknown = await remote("no ").catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(RangeError)
      expect(error).toMatchObject({ message: "no 2" })
    }
  })

  test("runs on a thread and on the loop, and knows its env and its context there", async () => {
    process.env["BUNHOUSE_TEST_HERE"] = "here"
    const asks = await fn(async function asks() {
      const { sep } = await import("node:path")
      return [context().function, process.env["BUNHOUSE_TEST_HERE"], sep, LOCAL]
    }).to(stack.here)
    expect(await asks()).toEqual(["asks", undefined, "/", LOCAL])
    const asksThread = await fn(() => [context().function, LOCAL], { name: "asksThread" }).to(
      stack.here,
    )
    expect(asksThread()).toEqual(["asksThread", LOCAL])
  })

  test("carries values along, as they are when it is sent", async () => {
    const size = { of: new Map([["a", 1n]]), at: new Date(5) }
    const remote = await fn(() => [size, LOCAL], { name: "carries", with: { size } }).to(stack.here)
    expect(remote()).toEqual([size, LOCAL])
    const loop = fn(async () => size, { name: "carriesToo", with: { size } })
    expect(await (await loop.to(stack.here))()).toEqual(size)
  })

  test("is refused before it is sent when it captures what cannot travel", async () => {
    const size = [42]
    const error = await caught(fn(() => size, { name: "never" }).to(stack.here))
    expect(error).toMatchObject({ code: "FUNCTION_NOT_SENDABLE", ran: "no" })
    expect(error.message).toMatch(/size \(.*travel\.test\.ts:\d+\), a constant of the function/)
    expect(await caught(stack.here.get("never"))).toMatchObject({ code: "NOT_FOUND" })
  })

  test("is sent once: the same again gets the same version, a changed import another", async () => {
    await Bun.write(folder.join("part.ts"), "export const part = () => 1")
    await Bun.write(
      folder.join("whole.ts"),
      `import { part } from "./part.ts"\nexport const whole = () => part()`,
    )
    const sends = folder.join("sends.ts")
    await Bun.write(
      sends,
      `import { fn } from ${JSON.stringify(join(import.meta.dir, "../../client/index.ts"))}
      import { whole } from "./whole.ts"
      export const send = (target: never) => fn(whole).to(target)`,
    )
    const {
      send,
    }: { send: (target: unknown) => Promise<{ (): number; info: { version: string } }> } =
      await import(sends)
    const [first, second] = [await send(stack.here), await send(stack.here)]
    expect(second.info.version).toBe(first.info.version)
    await Bun.write(folder.join("part.ts"), "export const part = () => 2")
    const third = await send(stack.here)
    expect([third(), third.info.version === first.info.version]).toEqual([2, false])
  })
})

describe("the stack of a remote error", () => {
  test("names the author's own file and line, on the loop", async () => {
    const remote = await fn(fail, { name: "failsHere" }).to(stack.here)
    const file = join(FIXTURES, "measures.ts")
    const [first] = await frames(remote("x"))
    expect(first).toContain(`at fail (${file}:${await lineOf(file, "throw new RangeError")}:`)
  })

  test("names each file that it went through, on a thread", async () => {
    const remote = await fn(function outer(x: number): number {
      if (x > 0) throw new TypeError("outer") // thrown
      return scaled(x)
    }).to(stack.here)
    const [first] = await frames(remote.async(1))
    const line = await lineOf(import.meta.path, "// thrown")
    expect(first).toContain(`at outer (${import.meta.path}:${line}:`)
    const inner = await fn(() => [measures.deep(3)], { name: "inner" }).to(stack.here)
    const found = await frames(inner.async())
    const file = join(FIXTURES, "double.ts")
    expect(found[0]).toContain(`at deep (${file}:${await lineOf(file, 'Error("deep")')}:`)
    expect(found.join("\n")).toContain(`${import.meta.path}:`)
  })

  test("shows no file of ours", async () => {
    const remote = await fn(fail, { name: "failsHere" }).to(stack.here)
    const found = await frames(remote("x"))
    expect(found.filter((line) => /\/envs\/|async_hooks/.test(line))).toEqual([])
  })
})

describe("code that cannot be loaded by the env", () => {
  test("is refused with the author's file and line where its top level throws", async () => {
    process.env["ONLY_HERE"] = "1"
    const sent = sendFile(
      "throws.ts",
      `import { env } from "node:process"
const token = required("NOT_THERE")
function required(name: string): string {
  if (env["ONLY_HERE"] === "1") return "here"
  throw new RangeError(name)
}
export function f() { return token }`,
    )
    const error = await caught(sent)
    expect(error).toMatchObject({ code: "DEPLOY_FAILED", ran: "no" })
    expect(error.message).toContain("RangeError: NOT_THERE")
    expect(error.message).toContain(`${folder.join("throws.ts")}:5:`)
  })
})

describe("a large bundle", () => {
  test("of five million bytes travels, one beyond the limit is refused", async () => {
    await Bun.write(folder.join("large.ts"), largeText(5_000_000))
    await Bun.write(folder.join("too-large.ts"), largeText(SOURCE_BYTES_MAX + 100_000))
    const sends = folder.join("sends-large.ts")
    await Bun.write(
      sends,
      `import { fn } from ${JSON.stringify(join(import.meta.dir, "../../client/index.ts"))}
      import { large } from "./large.ts"
      import { large as tooLarge } from "./too-large.ts"
      export const send = (target: never) => fn(() => large, { name: "large" }).to(target)
      export const sendMore = (target: never) => fn(() => tooLarge, { name: "large" }).to(target)`,
    )
    const module: Record<string, (target: unknown) => Promise<() => number>> = await import(sends)
    const remote = await module["send"]?.(stack.here)
    expect(remote?.()).toBe(5000)
    expect(await caught(module["sendMore"]?.(stack.here) ?? Promise.resolve())).toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    })
  })
})

describe("functions of one name", () => {
  test("that are sent at once with different code leave one of them, whole", async () => {
    const makers = [
      fn(async () => [scaled(1), LOCAL], { name: "one" }),
      fn(async () => [scaled(2), LOCAL], { name: "one" }),
      fn(async () => [scaled(3), LOCAL], { name: "one" }),
    ]
    const remotes = await Promise.all(makers.map((maker) => maker.to(stack.here)))
    const results = await Promise.all(remotes.map((remote) => remote()))
    expect(new Set(results.map(String)).size).toBe(1)
    expect([scaled(1), scaled(2), scaled(3)]).toContain(results[0]?.[0] ?? 0)
  })
})
