import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Target } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"
import { sendSignal } from "../support/processes.ts"

/** All the ways in which a stream ends before its generator does. */
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

/** Counts without end; leaves `<mark>.aborted` when its signal fires and `<mark>.finally` when it ends. */
async function sendEndless(env: Target) {
  return fn(async function* endless(
    mark: string,
    pauseMs = 0,
  ): AsyncGenerator<number, unknown, void> {
    const { writeFileSync } = await import("node:fs")
    const { context } = await import("bunhouse")
    const { signal } = context()
    signal.addEventListener("abort", () => writeFileSync(`${mark}.aborted`, ""))
    try {
      for (let i = 0; ; i++) {
        if (pauseMs > 0) await Bun.sleep(pauseMs)
        yield i === 0 ? process.pid : i
      }
    } finally {
      writeFileSync(`${mark}.finally`, "")
    }
  }).to(env)
}

async function expectEnded(mark: string): Promise<void> {
  await until(() => isMarked(`${mark}.finally`), "the generator's finally to run")
  expect(isMarked(`${mark}.aborted`)).toBe(true)
}

describe("a stream that its reader ends", () => {
  test("by break runs the generator's finally and fires its signal", async () => {
    const endless = await sendEndless(stack.here)
    for (const pauseMs of [0, 1]) {
      const mark = marks.next()
      let count = 0
      for await (const _ of endless(mark, pauseMs)) if (++count === 10) break
      expect(count).toBe(10)
      await expectEnded(mark)
    }
  })

  test("by return gives back what is returned, at once", async () => {
    const endless = await sendEndless(stack.here)
    const mark = marks.next()
    const items = endless(mark)
    await items.next()
    expect(await items.return(Promise.resolve("mine"))).toEqual({
      done: true,
      value: "mine",
    })
    expect(await items.next()).toEqual({ done: true, value: undefined })
    await expectEnded(mark)
  })

  test("by throw rejects with what was thrown", async () => {
    const endless = await sendEndless(stack.here)
    const mark = marks.next()
    const items = endless(mark)
    await items.next()
    const mine = new Error("mine")
    expect(await items.throw(mine).catch((error: unknown) => error)).toBe(mine)
    expect(await items.next()).toMatchObject({ done: true })
    await expectEnded(mark)
  })

  test("by leaving the scope of `await using`", async () => {
    const endless = await sendEndless(stack.here)
    const mark = marks.next()
    {
      await using items = endless(mark)
      await items.next()
    }
    await expectEnded(mark)
  })

  test("while a next waits: it is done", async () => {
    const stuck = await fn(async function* stuck(mark: string) {
      const { context } = await import("bunhouse")
      const aborted = new Promise((resolve) => context().signal.addEventListener("abort", resolve))
      await Bun.write(`${mark}.started`, "")
      await aborted
      yield "late"
    }).to(stack.here)
    const mark = marks.next()
    const items = stuck(mark)
    const waiting = items.next()
    await until(() => isMarked(`${mark}.started`), "the generator to start")
    await items.return(undefined)
    expect(await waiting).toEqual({ done: true, value: undefined })
  })

  test("by break in a blocking loop, by a program and by a thread", async () => {
    const endless = await sendEndless(stack.here)
    const resident = stack.connect({ blocking: "resident" })
    const again = await resident.get<typeof endless>("default/endless")
    for (const call of [endless.sync, again.sync]) {
      const mark = marks.next()
      let count = 0
      for (const _ of call(mark)) if (++count === 30_000) break
      expect(count).toBe(30_000)
      await expectEnded(mark)
    }
  })

  test("by its signal, which drops what has arrived", async () => {
    const endless = await sendEndless(stack.here)
    const mark = marks.next()
    const controller = new AbortController()
    const items = endless.with({ signal: controller.signal })(mark)
    await items.next()
    controller.abort(new Error("enough"))
    const error = await caught(items.next())
    expect(error).toMatchObject({ code: "CANCELLED", ran: "maybe" })
    expect(error.cause).toMatchObject({ message: "enough" })
    expect(await items.next()).toMatchObject({ done: true })
    await expectEnded(mark)
  })

  test("by going away: the connection is gone", async () => {
    const endless = await sendEndless(stack.here)
    const client = stack.connect()
    const again = await client.get<typeof endless>("default/endless")
    const mark = marks.next()
    const items = again(mark)
    await items.next()
    client.close()
    await expectEnded(mark)
    // What had arrived is read to its end.
    expect(await caught(async () => Array.fromAsync(items))).toMatchObject({ code: "CANCELLED" })
  })
})

describe("a stream that ends by itself", () => {
  test("at its deadline, in the middle", async () => {
    const endless = await sendEndless(stack.here)
    const resident = stack.connect({ blocking: "resident" })
    const again = await resident.get<typeof endless>("default/endless")
    const options = { timeoutMs: 400 }
    const calls = [
      endless.with(options),
      endless.with(options).sync,
      again.with(options).sync,
    ] as const
    for (const call of calls) {
      const mark = marks.next()
      let count = 0
      const error = await caught(async () => {
        for await (const _ of call(mark, 1)) count++
      })
      expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe" })
      expect(count).toBeGreaterThan(10)
      await expectEnded(mark)
    }
  })

  test("at its deadline though nobody reads it", async () => {
    const endless = await sendEndless(stack.here)
    const mark = marks.next()
    const items = endless.with({ timeoutMs: 300 })(mark)
    await items.next()
    await expectEnded(mark)
    await items.return(undefined)
  })

  test("has no deadline with timeoutMs 0, and keeps its place while it runs", async () => {
    const env = stack.here.env("place", { concurrency: 1 })
    const endless = await sendEndless(env)
    const items = endless.with({ timeoutMs: 0 })(marks.next())
    await items.next()
    const second = endless.with({ timeoutMs: 200 })(marks.next())
    expect(await caught(second.next())).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "no" })
    await items.return(undefined)
    const third = endless(marks.next())
    expect(await third.next()).toMatchObject({ done: false })
    await third.return(undefined)
  })

  test("when the env process is killed: after the items that were received", async () => {
    const env = stack.here.env("killed")
    const endless = await sendEndless(env)
    const items = endless(marks.next(), 1)
    const { value: pid } = await items.next()
    const seen = await Array.fromAsync({ length: 5 }, async () => (await items.next()).value)
    expect(seen).toEqual([1, 2, 3, 4, 5])
    sendSignal(Number(pid), "SIGKILL")
    let last = 5
    const error = await caught(async () => {
      for await (const item of items) expect(item).toBe(++last)
    })
    expect(error).toMatchObject({ code: "WORKER_LOST", ran: "maybe", env: "killed" })
    const next = endless(marks.next())
    expect((await next.next()).value).not.toBe(pid)
    await next.return(undefined)
  })

  test("when the env process is killed, also for who blocks", async () => {
    const env = stack.here.env("killed-sync")
    const endless = await sendEndless(env)
    const resident = stack.connect({ blocking: "resident" })
    const again = await resident.get<typeof endless>("killed-sync/endless")
    for (const call of [endless.sync, again.sync]) {
      const items = call(marks.next(), 1)
      const { value: pid } = items.next()
      sendSignal(Number(pid), "SIGKILL")
      expect(await caught(() => [...items])).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    }
  })

  test("when the daemon is killed", async () => {
    await using own = await startStack()
    const endless = await sendEndless(own.here)
    const items = endless(marks.next(), 1)
    await items.next()
    await own.kill()
    const error = await caught(async () => Array.fromAsync(items))
    expect(error).toMatchObject({ code: "DAEMON_LOST", ran: "maybe" })
    await own.startAgain()
  })

  test("when the daemon stops: running streams get its patience, then they end", async () => {
    await using own = await startStack()
    const endless = await sendEndless(own.here)
    const items = endless.with({ timeoutMs: 700 })(marks.next(), 1)
    await items.next()
    const stopped = own.stop()
    const error = await caught(async () => Array.fromAsync(items))
    expect(error.code).toBe("DEADLINE_EXCEEDED")
    await stopped
    await own.startAgain()
  })
})

describe("a generator that does not end when it is told to", () => {
  test("keeps its place until it does (C3), and its caller is free at once", async () => {
    const env = stack.here.env("stubborn", { concurrency: 1 })
    const stubborn = await fn(async function* stubborn(
      mark: string,
    ): AsyncGenerator<number, void, void> {
      yield 1
      while (!(await Bun.file(mark).exists())) await Bun.sleep(5)
      yield 2
    }).to(env)
    const mark = marks.next()
    const items = stubborn(mark)
    await items.next()
    // The generator is asked for its next item already, and does not answer.
    const waiting = items.next()
    await until(async () => (await env.status())?.running === 1, "the call to run")
    await items.return(undefined)
    await waiting
    expect((await env.status())?.running).toBe(1)
    await Bun.write(mark, "")
    await until(async () => (await env.status())?.running === 0, "the place to be free")
  })

  test("is read no further when its finally yields or throws", async () => {
    const odd = await fn(async function* odd(mark: string, how: string) {
      try {
        for (let i = 0; ; i++) yield i
      } finally {
        await Bun.write(mark, "")
        if (how === "throws") await Promise.reject(new Error("in finally"))
        yield "from finally"
      }
    }).to(stack.here)
    for (const how of ["throws", "yields"]) {
      const mark = marks.next()
      for await (const _ of odd(mark, how)) break
      await until(() => isMarked(mark), "finally to run")
    }
  })
})
