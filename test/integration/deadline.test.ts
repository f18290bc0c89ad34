import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Env, type Remote } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

let stack: Stack
let marks: Marks
beforeAll(async () => {
  stack = await startStack()
  marks = startMarks()
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  marks[Symbol.dispose]()
})

interface Sleepers {
  readonly sleep: Remote<(ms: number, mark?: string) => Promise<string>>
  readonly block: Remote<(ms: number, mark?: string) => string>
}

/** Functions that leave a mark and take a while, in an env with one place of each kind. */
async function sendSleepers(env: Env): Promise<Sleepers> {
  const sleep = await fn(async function sleep(ms: number, mark?: string) {
    if (mark !== undefined) await Bun.write(mark, "")
    await Bun.sleep(ms)
    return "slept"
  }).to(env)
  const block = await fn(function block(ms: number, mark?: string) {
    if (mark !== undefined) require("node:fs").writeFileSync(mark, "")
    const end = performance.now() + ms
    while (performance.now() < end);
    return "blocked"
  }).to(env)
  return { sleep, block }
}

function narrow(name: string): Env {
  return stack.here.env(name, { concurrency: 1, threads: { max: 1 } })
}

async function running(env: Env): Promise<number> {
  return (await env.status())?.running ?? -1
}

describe("a deadline", () => {
  test('ends a running async call with ran "maybe"; its place is free when the function is done', async () => {
    const env = narrow("async")
    const { sleep } = await sendSleepers(env)
    const mark = marks.next()
    const start = performance.now()
    const error = await caught(sleep.with({ timeoutMs: 100 })(1_500, mark))
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe", function: "sleep" })
    expect(performance.now() - start).toBeLessThan(1_200)
    expect(isMarked(mark)).toBe(true)
    expect(await running(env)).toBe(1)
    await until(async () => (await running(env)) === 0, "the place to be free")
    expect(performance.now() - start).toBeGreaterThan(450)
    expect(await sleep(1)).toBe("slept")
  })

  test('ends a call that waits with ran "no", and that call never runs', async () => {
    const env = narrow("queued")
    const { sleep } = await sendSleepers(env)
    const first = sleep(300)
    const mark = marks.next()
    const error = await caught(sleep.with({ timeoutMs: 50 })(1, mark))
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "no" })
    expect(await first).toBe("slept")
    expect(await sleep(1)).toBe("slept")
    expect(isMarked(mark)).toBe(false)
  })

  test("ends the thread of a sync call that runs for ever; others go on, the place is free at once", async () => {
    const env = stack.here.env("spin", { threads: { max: 2 } })
    const { block } = await sendSleepers(env)
    const spin = await fn(function spin(): never {
      for (;;);
    }).to(env)
    const neighbour = block.async(600)
    const error = await caught(spin.with({ timeoutMs: 100 }).async())
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe", function: "spin" })
    await until(async () => (await running(env)) === 1, "the spinning thread to end", 1_000)
    expect(await block.async(1)).toBe("blocked")
    expect(await neighbour).toBe("blocked")
  })

  test("is heard of by the function, as a signal", async () => {
    const mark = marks.next()
    const watch = await fn(async function watch(path: string) {
      const { context } = await import("bunhouse")
      const { signal, deadline } = context()
      const left = (deadline?.getTime() ?? 0) - Date.now()
      await new Promise((resolve) => signal.addEventListener("abort", resolve))
      await Bun.write(path, String(left))
    }).to(narrow("heard"))
    expect((await caught(watch.with({ timeoutMs: 150 })(mark))).code).toBe("DEADLINE_EXCEEDED")
    // The file is there before the text is in it.
    const read = async () => isMarked(mark) && (await Bun.file(mark).text())
    const left = Number(await until(read, "the function to hear of it"))
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(150)
  })

  test("of 0 is none, and a function knows it", async () => {
    const deadline = await fn(async function deadline() {
      const { context } = await import("bunhouse")
      return context().deadline
    }).to(narrow("none"))
    expect(await deadline.with({ timeoutMs: 0 })()).toBeUndefined()
    expect(await deadline()).toBeInstanceOf(Date)
    expect(deadline.with({ timeoutMs: 0 }).sync()).toBeUndefined()
  })

  test.each([[-1], [Number.NaN], [Number.POSITIVE_INFINITY], [2 ** 32], ["1s"], [null], [{}]])(
    "of %p is refused when it is set",
    async (timeoutMs) => {
      const { sleep } = await sendSleepers(narrow("wrong"))
      const options: object = { timeoutMs }
      const error = await caught(() => sleep.with(options))
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT", ran: "no" })
      expect(error.message).toContain("timeoutMs")
    },
  )

  test("may be as long as a header can say, also for a blocking call", async () => {
    const { sleep, block } = await sendSleepers(narrow("long"))
    const options = { timeoutMs: 2 ** 32 - 1 }
    expect(await sleep.with(options)(1)).toBe("slept")
    expect(sleep.with(options).sync(1)).toBe("slept")
    expect(block.with(options)(1)).toBe("blocked")
  })

  test.each([["spawn"], ["resident"]] as const)(
    "ends a blocking call (%s) alike",
    async (blocking) => {
      using client = stack.connect({ blocking })
      const env = client.env(`blocking-${blocking}`, { concurrency: 1, threads: { max: 1 } })
      const { sleep, block } = await sendSleepers(env)
      const start = performance.now()
      const error = await caught(() => block.with({ timeoutMs: 100 })(5_000))
      expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe", function: "block" })
      await until(async () => (await running(env)) === 0, "the thread to end")
      const first = sleep(400)
      await until(async () => (await running(env)) === 1, "the place to be taken")
      const mark = marks.next()
      const queued = await caught(() => sleep.with({ timeoutMs: 50 }).sync(1, mark))
      expect(queued).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "no" })
      expect(performance.now() - start).toBeLessThan(2_000)
      expect(await first).toBe("slept")
      expect(isMarked(mark)).toBe(false)
      expect(block(1)).toBe("blocked")
    },
  )
})
