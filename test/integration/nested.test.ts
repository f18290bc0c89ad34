import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Remote } from "../../client/index.ts"
import { NESTING_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { sendSignal } from "../support/processes.ts"
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
    interface About {
      readonly depth: number
      readonly root: string
      readonly callId: string
    }
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

  test("knows the key of the call around it", async () => {
    const key = await fn(async function key() {
      const { context } = await import("bunhouse")
      return context().idempotencyKey
    }).to(stack.here)
    expect(await key.with({ idempotencyKey: "one" })()).toBe("one")
    expect(await key()).toBeUndefined()
  })

  test("ends by the deadline of the call around it, through a chain of three", async () => {
    const chain = await sendChain(["d1", "d2", "d3"])
    const mark = marks.next()
    const call = caught(chain.with({ timeoutMs: 600 })(["d2", "d3"], mark))
    await until(() => isMarked(`${mark}.started`), "the innermost to run")
    expect(await call).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe", env: "d1" })
    await until(() => isMarked(`${mark}.aborted`), "the innermost to hear of it")
  })

  test("has less time than the call around it, and never more than its own", async () => {
    type Left = (own: number) => Promise<number | undefined>
    const left = await fn(async function left(): Promise<number | undefined> {
      const { context } = await import("bunhouse")
      const { deadline } = context()
      return deadline === undefined ? undefined : deadline.getTime() - Date.now()
    }).to(stack.here.env("left"))
    expect(await left.with({ timeoutMs: 0 })()).toBeUndefined()
    const asked = await fn(async function asked(own: number) {
      const { context } = await import("bunhouse")
      const inner = await context().here.get<() => Promise<number | undefined>>("left/left")
      return await inner.with({ timeoutMs: own })()
    }).to(stack.here.env("asked"))
    const of = (timeoutMs: number): Left => asked.with({ timeoutMs })
    expect(await of(20_000)(0)).toBeLessThanOrEqual(20_000)
    expect(await of(20_000)(60_000)).toBeLessThanOrEqual(20_000)
    expect(await of(20_000)(10_000)).toBeLessThanOrEqual(10_000)
    expect(await of(0)(10_000)).toBeGreaterThan(1_000)
    expect(await of(0)(0)).toBeUndefined()
  })

  test("is cancelled with the call around it: a signal from outside stops the innermost", async () => {
    const chain = await sendChain(["c1", "c2", "c3"])
    const mark = marks.next()
    const controller = new AbortController()
    const call = caught(chain.with({ signal: controller.signal })(["c2", "c3"], mark))
    await until(() => isMarked(`${mark}.started`), "the innermost to run")
    expect(isMarked(`${mark}.aborted`)).toBe(false)
    controller.abort()
    expect((await call).code).toBe("CANCELLED")
    await until(() => isMarked(`${mark}.aborted`), "the innermost to hear of it")
  })

  test("that the function has left behind has the time that it asks for", async () => {
    const late = await fn(async function late(mark: string) {
      const { context } = await import("bunhouse")
      const { signal, depth } = context()
      await Bun.sleep(50)
      await Bun.write(mark, `${signal.aborted} ${depth}`)
    }).to(stack.here.env("late"))
    const leave = await fn(async function leave(mark: string) {
      const { context } = await import("bunhouse")
      const inner = await context().here.get<(mark: string) => Promise<void>>("late/late")
      setTimeout(() => void inner(mark), 400)
    }).to(stack.here.env("leaves"))
    expect(late.info.env).toBe("late")
    const mark = marks.next()
    await leave.with({ timeoutMs: 200 })(mark)
    const written = async () => isMarked(mark) && (await Bun.file(mark).text())
    await until(async () => (await written()) === "false 1", "the inner call to end")
  })

  test("of a chain without an end is refused with its length, and nothing is left", async () => {
    const endless = await fn(async function endless(): Promise<number> {
      const { context } = await import("bunhouse")
      const { here } = context()
      return (await (await here.get<() => Promise<number>>("endless/endless"))()) + 1
    }).to(stack.here.env("endless"))
    const error = await caught(endless())
    expect(error).toMatchObject({ code: "DEADLOCK", ran: "no" })
    expect(error.message).toContain(`a chain of ${NESTING_MAX + 1} calls`)
  })

  test("of a chain as long as may be is made", async () => {
    const down = await fn(async function down(levels: number): Promise<number> {
      const { context } = await import("bunhouse")
      const { here, depth } = context()
      if (levels === 0) return depth
      return (await here.get<(levels: number) => Promise<number>>("down/down"))(levels - 1)
    }).to(stack.here.env("down"))
    expect(await down(NESTING_MAX)).toBe(NESTING_MAX)
  })

  test("fails when its env is killed, and what that one has called is cancelled", async () => {
    const chain = await sendChain(["k1", "k2", "k3"])
    const mark = marks.next()
    const call = caught(chain(["k2", "k3"], mark))
    await until(() => isMarked(`${mark}.started`), "the innermost to run")
    const middle = await stack.here.env("k2").status()
    sendSignal(middle?.pid, "SIGKILL")
    // The outermost function is told, and throws what it was told.
    expect(await call).toMatchObject({ code: "WORKER_LOST", ran: "maybe", env: "k2" })
    await until(() => isMarked(`${mark}.aborted`), "the innermost to hear of it")
    expect(await caught(chain.with({ timeoutMs: 300 })(["k2", "k3"], marks.next()))).toMatchObject({
      code: "DEADLINE_EXCEEDED",
    })
  })

  test("of two envs that call each other, a thousand at once, ends right each time", async () => {
    for (const name of ["ping", "pong"]) {
      await fn(async function hit(n: number, left: number, to: string): Promise<number> {
        const { context } = await import("bunhouse")
        const { here, env } = context()
        if (left === 0) return n
        const other = await here.get<(n: number, left: number, to: string) => Promise<number>>(
          `${to}/hit`,
        )
        return other(n + 1, left - 1, env)
      }).to(stack.here.env(name))
    }
    type Hit = (n: number, left: number, to: string) => Promise<number>
    const hit = await stack.here.get<Hit>("ping/hit")
    const calls = Array.from({ length: 1_000 }, (_, n) => hit(n, 3, "pong"))
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 1_000 }, (_, n) => n + 3))
  })
})

describe("a blocking call of a function on a thread", () => {
  test("of the env's own, for which no thread can come free, is a DEADLOCK", async () => {
    const options = { run: "thread" } as const
    const down = await fn(async function down(levels: number): Promise<number> {
      const { here } = await import("bunhouse")
      if (levels === 0) return 0
      const inner = await here.get<(levels: number) => Promise<number>>("narrow/down")
      return inner.sync(levels - 1) + 1
    }, options).to(stack.here.env("narrow", { threads: { max: 2 } }))
    expect(await down(1)).toBe(1)
    const error = await caught(down(2))
    expect(error).toMatchObject({ code: "DEADLOCK", ran: "no", env: "narrow" })
    expect(error.message).toContain("all 2 places")
    expect(await down(1)).toBe(1)
  })
})
