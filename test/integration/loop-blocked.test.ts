import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Env, fn, type LogLine } from "../../client/index.ts"
import { LOOP_SAMPLED_CALLS } from "../../protocol/limits.ts"
import type { LoopBlock } from "../../protocol/status.ts"
import { caught } from "../support/caught.ts"
import { ask, pathOf } from "../support/http.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

function sendBusy(env: Env) {
  return fn(async function busy(ms: number, restMs = 0) {
    if (restMs > 0) await Bun.sleep(restMs)
    const end = performance.now() + ms
    while (performance.now() < end);
    return "done"
  }).to(env)
}

function sendSleep(env: Env) {
  return fn(async function sleep(ms: number) {
    await Bun.sleep(ms)
    return "slept"
  }).to(env)
}

/** The number of the line of this file that `text` stands in. */
async function lineOf(text: string): Promise<number> {
  const lines = (await Bun.file(import.meta.path).text()).split("\n")
  return lines.findIndex((line) => line.includes(text)) + 1
}

async function blocksOf(env: Env): Promise<readonly LoopBlock[]> {
  return (await env.status())?.loopBlocks ?? []
}

describe("a call that blocks the loop of its env", () => {
  test("is named with its duration to its caller, in the status and in the daemon's log", async () => {
    const env = stack.here.env("named")
    const [busy, sleep] = [await sendBusy(env), await sendSleep(env)]
    await Promise.all([busy(0), sleep(0)])
    const lines: LogLine[] = []
    const others = [1, 2, 3].map(() => sleep(300))
    expect(await busy.with({ onLog: (line) => lines.push(line) })(250)).toBe("done")
    const [line] = lines
    expect(line).toMatchObject({ stream: "stderr", env: "named", function: "busy" })
    expect(line?.text).toMatch(
      /^bunhouse: named\/busy blocked the event loop of its env for \d+ ms at busy \(loop-blocked\.test\.ts:\d+:\d+\), and 3 other calls waited: make it a sync function/,
    )
    const [block] = await blocksOf(env)
    expect(block).toMatchObject({ functions: ["busy"], isCertain: true, isOver: true, delayed: 3 })
    expect(block?.ms).toBeGreaterThanOrEqual(200)
    const place = `busy (${import.meta.path}:${await lineOf("while (performance.now()")}:`
    expect(block?.stack[0]).toStartWith(place)
    expect(await stack.log()).toContain('"event":"loop blocked","env":"named"')
    expect(await stack.log()).toContain(`"stack":["${place}`)
    await Promise.all(others)
  })

  test("delays all that goes through the loop: calls there, on threads, and in the queue", async () => {
    const env = stack.here.env("delaying", { concurrency: 3 })
    const [busy, sleep] = [await sendBusy(env), await sendSleep(env)]
    const nap = await fn((ms: number) => Bun.sleepSync(ms), { name: "nap" }).to(env)
    await Promise.all([busy(0), sleep(0), nap.async(0)])
    const others = [sleep(400), sleep(400), nap.async(400)]
    const call = busy(300)
    const queued = [sleep(1), sleep(1)]
    await call
    expect((await blocksOf(env))[0]).toMatchObject({ functions: ["busy"], delayed: 5 })
    await Promise.all([...others, ...queued])
  })

  test("behind an await is certain when it is alone, and probable beside others", async () => {
    const env = stack.here.env("behind")
    const [busy, sleep] = [await sendBusy(env), await sendSleep(env)]
    await Promise.all([busy(0), sleep(0)])
    await busy(250, 20)
    expect((await blocksOf(env))[0]).toMatchObject({ functions: ["busy"], isCertain: true })
    const other = sleep(500)
    await busy(250, 20)
    expect((await blocksOf(env))[0]).toMatchObject({ functions: ["busy"], isCertain: false })
    await other
  })

  test("is shown with the place where it did, also after an await and many calls that did not", async () => {
    const env = stack.here.env("often")
    const busy = await sendBusy(env)
    for (let n = 0; n < 2 * LOOP_SAMPLED_CALLS; n++) await busy(0)
    // The first block of a function that seemed harmless may go without.
    await busy(250)
    await busy(250, 20)
    const line = await lineOf("while (performance.now()")
    expect((await blocksOf(env))[0]?.stack[0]).toStartWith(`busy (${import.meta.path}:${line}:`)
  })

  test("that lasts is told of while it does, and answers to its deadline meanwhile", async () => {
    const env = stack.here.env("lasting")
    const [busy, sleep] = [await sendBusy(env), await sendSleep(env)]
    await Promise.all([busy(0), sleep(0)])
    const lines: LogLine[] = []
    const call = busy.with({ timeoutMs: 2_500, onLog: (line) => lines.push(line) })(60_000)
    const late = caught(sleep.with({ timeoutMs: 300 })(0))
    expect(await late).toMatchObject({ code: "DEADLINE_EXCEEDED" })
    await until(async () => (await blocksOf(env)).length > 0, "the status to tell")
    expect((await blocksOf(env))[0]).toMatchObject({ functions: ["busy"], isOver: false })
    expect(await caught(call)).toMatchObject({ code: "DEADLINE_EXCEEDED" })
    expect(lines[0]?.text).toContain("has been blocking the event loop")
    await until(async () => (await env.status())?.state !== "ready", "the process to be ended")
    expect(await sleep(1)).toBe("slept")
  }, 15_000)

  test("does not slow an env beside it, or the daemon", async () => {
    const [busy, sleep] = [
      await sendBusy(stack.here.env("loud")),
      await sendSleep(stack.here.env("calm")),
    ]
    await Promise.all([busy(0), sleep(0)])
    let isBusy = true
    const call = busy(1_000).finally(() => (isBusy = false))
    for (let n = 0; n < 20; n++) await sleep(1)
    expect(
      (await ask(stack, "POST", pathOf("calm", "sleep", "/call"), { body: "[1]" })).json,
    ).toEqual({ ok: true, value: "slept" })
    expect(isBusy).toBe(true)
    await call
    expect(await blocksOf(stack.here.env("calm"))).toEqual([])
  })
})

describe("no call is blamed", () => {
  test("where functions only wait, many at a time", async () => {
    const env = stack.here.env("waiting", { loopBlockMs: 500 })
    const sleep = await sendSleep(env)
    for (let n = 0; n < 3; n++) await Promise.all(Array.from({ length: 200 }, () => sleep(100)))
    expect(await blocksOf(env)).toEqual([])
  })

  test("where many short calls together keep the loop busy: no single one is to blame", async () => {
    const env = stack.here.env("burst")
    const busy = await sendBusy(env)
    await busy(0)
    await Promise.all(Array.from({ length: 2_000 }, () => busy(0.3)))
    await Promise.all(Array.from({ length: 2_000 }, () => busy(0.3, 50)))
    expect(await blocksOf(env)).toEqual([])
  })

  test("where the spec turns it off", async () => {
    const env = stack.here.env("off", { loopBlockMs: 0 })
    const busy = await sendBusy(env)
    const lines: LogLine[] = []
    await busy.with({ onLog: (line) => lines.push(line) })(300)
    expect([await blocksOf(env), lines]).toEqual([[], []])
  })
})
