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
  await until(async () => (await stack.here.status()).callsInFlight === 0, "all calls to end")
  await stack[Symbol.asyncDispose]()
  marks[Symbol.dispose]()
})

/** Waits for its signal; leaves `<mark>.started` and `<mark>.aborted`. */
async function sendWatch(env: Env): Promise<Remote<(mark: string) => Promise<string>>> {
  return fn(async function watch(mark: string) {
    const { context } = await import("bunhouse")
    const { signal } = context()
    const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve))
    await Bun.write(`${mark}.started`, "")
    if (!signal.aborted) await aborted
    await Bun.write(`${mark}.aborted`, String(signal.reason.name))
    return "aborted"
  }).to(env)
}

describe("aborting a call", () => {
  test('before it is made sends nothing (ran "no")', async () => {
    const watch = await sendWatch(stack.here.env("before"))
    const mark = marks.next()
    const reason = new Error("changed my mind")
    const options = { signal: AbortSignal.abort(reason) }
    const awaited = await caught(watch.with(options)(mark))
    const blocking = await caught(() => watch.with(options).sync(mark))
    for (const error of [awaited, blocking]) {
      expect(error).toMatchObject({ code: "CANCELLED", ran: "no", env: "before" })
      expect(error.cause).toBe(reason)
    }
    expect(isMarked(`${mark}.started`)).toBe(false)
  })

  test("that waits for a place keeps it from running at all", async () => {
    const env = stack.here.env("queue", { concurrency: 1 })
    const watch = await sendWatch(env)
    const [running, waiting] = [new AbortController(), new AbortController()]
    const [first, second] = [marks.next(), marks.next()]
    const calls = [
      caught(watch.with({ signal: running.signal })(first)),
      caught(watch.with({ signal: waiting.signal })(second)),
    ]
    await until(async () => (await env.status())?.queued === 1, "one call to wait")
    waiting.abort()
    expect((await calls[1])?.code).toBe("CANCELLED")
    await until(async () => (await env.status())?.queued === 0, "the queue to be empty")
    running.abort()
    expect((await calls[0])?.code).toBe("CANCELLED")
    const third = new AbortController()
    const last = caught(watch.with({ signal: third.signal })(marks.next()))
    await until(async () => (await env.status())?.running === 1, "the place to be taken again")
    third.abort()
    await last
    expect(isMarked(`${second}.started`)).toBe(false)
  })

  test("that runs fires the function's own signal, and frees its place when it returns", async () => {
    const env = stack.here.env("running")
    const watch = await sendWatch(env)
    const mark = marks.next()
    const controller = new AbortController()
    const call = caught(watch.with({ signal: controller.signal })(mark))
    await until(() => isMarked(`${mark}.started`), "the function to start")
    controller.abort()
    expect(await call).toMatchObject({ code: "CANCELLED", ran: "maybe" })
    const heard = () =>
      Bun.file(`${mark}.aborted`)
        .text()
        .catch(() => "")
    await until(async () => (await heard()) === "AbortError", "the function to hear of it")
    await until(async () => (await env.status())?.running === 0, "the place to be free")
  })

  test("that runs on a thread ends the thread, and no other call", async () => {
    const env = stack.here.env("thread", { threads: { max: 2 } })
    const spin = await fn(function spin(path: string): never {
      require("node:fs").writeFileSync(path, "")
      for (;;);
    }).to(env)
    const nap = await fn(function nap(ms: number) {
      Bun.sleepSync(ms)
      return "slept"
    }).to(env)
    const mark = marks.next()
    const controller = new AbortController()
    const neighbour = nap.async(500)
    const call = caught(spin.with({ signal: controller.signal }).async(mark))
    await until(() => isMarked(mark), "the function to start")
    controller.abort()
    expect(await call).toMatchObject({ code: "CANCELLED", ran: "maybe" })
    await until(async () => (await env.status())?.running === 1, "the thread to end", 1_000)
    expect(await neighbour).toBe("slept")
    expect(await nap.async(1)).toBe("slept")
  })

  test("that has ended changes nothing", async () => {
    const controller = new AbortController()
    const quick = await fn(async () => 1, { name: "quick" }).to(stack.here)
    const call = quick.with({ signal: controller.signal })
    expect(await call()).toBe(1)
    controller.abort()
    expect((await caught(call())).ran).toBe("no")
    expect(await quick()).toBe(1)
  })

  test("with a thousand others at once ends each one once, and frees all places", async () => {
    const env = stack.here.env("thousand", { concurrency: 300 })
    const watch = await sendWatch(env)
    const mark = marks.next()
    const controller = new AbortController()
    const calls = Array.from({ length: 1_000 }, () =>
      caught(watch.with({ signal: controller.signal })(mark)),
    )
    await until(async () => (await env.status())?.queued === 700, "all places to be taken")
    controller.abort()
    for (const call of calls) expect((await call).code).toBe("CANCELLED")
    await until(async () => {
      const status = await env.status()
      return status?.running === 0 && status.queued === 0
    }, "all places to be free")
  })
})

describe("a caller that goes away", () => {
  test("closing its connection cancels its calls, and nobody else's", async () => {
    const env = stack.here.env("gone")
    const watch = await sendWatch(env)
    const other = stack.connect()
    const theirs = await other.get<typeof watch>("gone/watch")
    const [mark, otherMark] = [marks.next(), marks.next()]
    const controller = new AbortController()
    const mine = caught(watch.with({ signal: controller.signal })(otherMark))
    const call = caught(theirs(mark))
    await until(
      () => isMarked(`${mark}.started`) && isMarked(`${otherMark}.started`),
      "both to run",
    )
    other.close()
    expect(await call).toMatchObject({ code: "CANCELLED", ran: "maybe" })
    await until(() => isMarked(`${mark}.aborted`), "the function to hear of it", 1_000)
    expect(isMarked(`${otherMark}.aborted`)).toBe(false)
    controller.abort()
    await mine
  })
})
