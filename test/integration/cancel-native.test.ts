import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Env } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Calls that nothing stops but the end of their env process, and what becomes of the others there. */
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

/** Sleeps in native code, which itself leaves the mark: what is stopped before is stopped by other means. */
function sendNap(env: Env) {
  return fn(function nap(seconds: number, mark = "/dev/null") {
    Bun.spawnSync(["/bin/sh", "-c", 'touch "$1"; exec sleep "$0"', String(seconds), mark])
    return "slept"
  }).to(env)
}

function sendBlock(env: Env) {
  return fn(async function block(ms: number, mark?: string) {
    if (mark !== undefined) require("node:fs").writeFileSync(mark, "")
    Bun.sleepSync(ms)
    return "blocked"
  }).to(env)
}

function sendSleep(env: Env) {
  return fn(async function sleep(ms: number, mark?: string) {
    if (mark !== undefined) require("node:fs").writeFileSync(mark, "")
    await Bun.sleep(ms)
    return "slept"
  }).to(env)
}

async function pidOf(env: Env): Promise<number> {
  return (await env.status())?.pid ?? -1
}

describe("a sync function in native code", () => {
  test("ends with its env process when it is cancelled; others there learn that they may have run", async () => {
    const env = stack.here.env("nap", { concurrency: 1, threads: { max: 2 } })
    const [nap, sleep] = [await sendNap(env), await sendSleep(env)]
    await Promise.all([nap.async(0), sleep(0)])
    const pid = await pidOf(env)
    const [mark, waiting] = [marks.next(), marks.next()]
    const controller = new AbortController()
    const other = caught(sleep(60_000))
    const next = sleep(1, waiting)
    const call = caught(nap.with({ signal: controller.signal }).async(60, mark))
    await until(() => isMarked(mark), "the function to start")
    controller.abort()
    expect(await call).toMatchObject({ code: "CANCELLED", ran: "maybe" })
    const lost = await other
    expect(lost).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    expect(lost.message).toContain("nap/nap did not end within 1000 ms of being stopped")
    // What waited runs in the next process.
    expect(await next).toBe("slept")
    expect(isMarked(waiting)).toBe(true)
    expect(await pidOf(env)).not.toBe(pid)
    expect((await env.status())?.crashes).toBe(0)
  })

  test("ends the same way at its deadline, as a blocking call, and when its caller goes away", async () => {
    const env = stack.here.env("deadline")
    const nap = await sendNap(env)
    const ends = {
      deadline: async () => {
        const error = await caught(nap.with({ timeoutMs: 500 }).async(60))
        expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe" })
      },
      blocking: async () => {
        const error = await caught(() => nap.with({ timeoutMs: 500 })(60))
        expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe" })
      },
      "lost caller": async () => {
        const other = stack.connect()
        const theirs = await other.get<typeof nap>("deadline/nap")
        const mark = marks.next()
        const gone = caught(theirs.async(60, mark))
        await until(() => isMarked(mark), "the function to start")
        other.close()
        expect((await gone).code).toBe("CANCELLED")
      },
    }
    for (const [how, end] of Object.entries(ends)) {
      expect(await nap.async(0)).toBe("slept")
      const pid = await pidOf(env)
      await end()
      await until(async () => (await pidOf(env)) !== pid, `the process to end by ${how}`, 5_000)
    }
    expect(await nap.async(0)).toBe("slept")
  }, 20_000)
})

describe("an async function that blocks its loop", () => {
  test.each([
    ["natively", true],
    ["in JavaScript", false],
  ] as const)(
    "%s ends with its env process at its deadline, and the message names it",
    async (_, isNative) => {
      const env = stack.here.env(isNative ? "native" : "spin", { concurrency: 2 })
      const [block, sleep] = [await sendBlock(env), await sendSleep(env)]
      const spin = await fn(async function spin(mark: string) {
        require("node:fs").writeFileSync(mark, "")
        for (;;);
      }).to(env)
      const nap = await sendNap(env)
      await Promise.all([block(0), sleep(0), nap.async(0)])
      const mark = marks.next()
      const other = caught(sleep(60_000))
      const call = caught(
        isNative
          ? block.with({ timeoutMs: 300 })(60_000, mark)
          : spin.with({ timeoutMs: 300 })(mark),
      )
      await until(() => isMarked(mark), "the function to start")
      expect(await call).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe" })
      const lost = await other
      expect(lost).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
      expect(lost.message).toContain(
        `${env.name}/${isNative ? "block" : "spin"} blocked its event loop and could not be stopped`,
      )
      expect(await sleep(1)).toBe("slept")
    },
    20_000,
  )

  test("and one that only ignores its signal keeps its process", async () => {
    const env = stack.here.env("deaf")
    const sleep = await sendSleep(env)
    await sleep(0)
    const pid = await pidOf(env)
    const other = sleep(3_000)
    expect((await caught(sleep.with({ timeoutMs: 50 })(3_000))).code).toBe("DEADLINE_EXCEEDED")
    expect(await other).toBe("slept")
    expect(await pidOf(env)).toBe(pid)
  }, 10_000)

  test("for a while keeps its process when it is another's call that was cancelled", async () => {
    const env = stack.here.env("patient")
    const [block, sleep] = [await sendBlock(env), await sendSleep(env)]
    await Promise.all([block(0), sleep(0)])
    const pid = await pidOf(env)
    const cancelled = caught(sleep.with({ timeoutMs: 200 })(60_000))
    const busy = block(2_500)
    expect((await cancelled).code).toBe("DEADLINE_EXCEEDED")
    expect(await busy).toBe("blocked")
    expect(await pidOf(env)).toBe(pid)
  }, 10_000)
})
