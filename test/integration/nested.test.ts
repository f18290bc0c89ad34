import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Remote } from "../../client/index.ts"
import { NESTING_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

type Chain = (names: string[], mark: string) => Promise<string>

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

/** Calls itself in each env of the list in turn; the last one waits for its signal, and leaves `<mark>.*`. */
async function sendChain(envs: readonly string[]): Promise<Remote<Chain>> {
  let first: Remote<Chain> | undefined
  for (const name of envs) {
    const sent = await fn(async function chain(names: string[], mark: string): Promise<string> {
      const { context } = await import("bunhouse")
      const { here, signal, env } = context()
      const [next, ...rest] = names
      if (next !== undefined) {
        const inner = await here.get<Chain>(`${next}/chain`)
        return `${env} ${await inner(rest, mark)}`
      }
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve))
      await Bun.write(`${mark}.started`, String(process.pid))
      if (!signal.aborted) await aborted
      await Bun.write(`${mark}.aborted`, "")
      return env
    }).to(stack.here.env(name))
    first ??= sent
  }
  if (first === undefined) throw new Error("no env")
  return first
}

describe("context().here", () => {
  test("calls functions of the same env and of others, from the loop and from threads", async () => {
    await fn(async (a: number, b: number) => a + b, { name: "add" }).to(stack.here.env("other"))
    const onLoop = await fn(async function onLoop(a: number): Promise<number> {
      const { context } = await import("bunhouse")
      const { here } = context()
      return (await here.get<(a: number, b: number) => Promise<number>>("other/add"))(a, 1)
    }).to(stack.here.env("outer"))
    const onThread = await fn(
      async function onThread(a: number): Promise<number> {
        const { context } = await import("bunhouse")
        const { here } = context()
        const inner = await here.get<(a: number) => Promise<number>>("outer/onLoop")
        return inner.sync(a) + (await inner(a))
      },
      { run: "thread" },
    ).to(stack.here.env("outer"))
    expect(await onLoop(1)).toBe(2)
    expect(await onThread.async(1)).toBe(4)
  })

  test("is the `here` of the library", async () => {
    const same = await fn(async function same() {
      const { context, here } = await import("bunhouse")
      return context().here === here
    }).to(stack.here)
    expect(await same()).toBe(true)
  })
})

describe("a nested call", () => {
  test("knows its depth and the call at the root", async () => {
    type About = { depth: number; root: string; callId: string }
    const about = await fn(async function about(levels: number): Promise<About[]> {
      const { context } = await import("bunhouse")
      const { here, depth, rootCallId: root, callId } = context()
      const mine = { depth, root, callId }
      if (levels === 0) return [mine]
      const inner = await here.get<(levels: number) => Promise<About[]>>("about/about")
      return [mine, ...(await inner(levels - 1))]
    }).to(stack.here.env("about"))
    const seen = await about(3)
    expect(seen.map(({ depth }) => depth)).toEqual([0, 1, 2, 3])
    expect(new Set(seen.map(({ root }) => root))).toEqual(new Set([seen[0]?.callId ?? ""]))
    expect(new Set(seen.map(({ callId }) => callId)).size).toBe(4)
  })
})
