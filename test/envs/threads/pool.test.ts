import { PAYLOAD_BYTES_MAX } from "../../../protocol/limits.ts"
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { ForcedEnds } from "../../../envs/threads/forced-ends.ts"
import { ThreadPool } from "../../../envs/threads/pool.ts"
import { encodeArgs } from "../../../protocol/codec/index.ts"
import { FrameType } from "../../../protocol/frame.ts"
import { caught } from "../../support/caught.ts"
import { type Answer, FakeSink, noDial } from "../../support/fake-sink.ts"
import { temporaryFolder } from "../../support/folder.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { until } from "../../support/until.ts"

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

let sink: FakeSink
let pool: ThreadPool
let ids = 0
let files = 0

function makePool({ threadsMax = 2, idleMs = 50, kept = 0 } = {}): void {
  sink = new FakeSink()
  const forced = new ForcedEnds(sink)
  pool = new ThreadPool({
    facts: { env: "lab", bootId: "boot", ownBootId: "boot.i1", payloadBytesMax: PAYLOAD_BYTES_MAX },
    forced,
    dial: noDial,
    sink,
    threadsMax,
    idleMs,
    kept,
  })
}

beforeEach(() => makePool())
afterEach(async () => {
  pool.cancelAll()
  await until(() => pool.size === 0, "all threads to end")
})

/** Loads the function whose body is `code`, with arguments `a` and `b`. Returns its number. */
async function load(code: string, timeoutMs = 5_000): Promise<number> {
  const index = ++files
  const path = folder.join(`m${index}.mjs`)
  writeFileSync(path, `export default function f(a, b) { ${code} }`)
  await pool.load(index, { name: "f", path, as: "function", export: "default" }, timeoutMs)
  return index
}

async function loadModule(code: string, timeoutMs: number): Promise<void> {
  const index = ++files
  const path = folder.join(`m${index}.mjs`)
  writeFileSync(path, code)
  await pool.load(index, { name: "f", path, as: "function", export: "default" }, timeoutMs)
}

/** Starts a call; returns its id. */
function run(target: number, ...args: unknown[]): number {
  const id = ++ids
  pool.run(standingOn(batchOf(FrameType.call, { id, target, payload: encodeArgs(args) })))
  return id
}

function answered(id: number): Promise<Answer> {
  return until(() => sink.answerOf(id), `the answer to call ${id}`)
}

async function call(target: number, ...args: unknown[]): Promise<Answer> {
  return answered(run(target, ...args))
}

describe("ThreadPool", () => {
  test("answers each call with its own result, many more than there are threads (L2)", async () => {
    const square = await load("return a * a")
    const calls = Array.from({ length: 200 }, (_, i) => [i, run(square, i)] as const)
    for (const [i, id] of calls) expect((await answered(id)).value).toBe(i * i)
    expect(pool.size).toBeLessThanOrEqual(2)
  })

  test("runs calls beside each other and off this thread (L1)", async () => {
    // Two calls that wait for each other end only when they run at the same time.
    const meet = await load(`
      const fs = require("node:fs")
      fs.writeFileSync(a, "")
      for (let i = 0; i < 5000 && !fs.existsSync(b); i++) Bun.sleepSync(1)
      return fs.existsSync(b)`)
    const [one, two] = [folder.join("one"), folder.join("two")]
    const [first, second] = [run(meet, one, two), run(meet, two, one)]
    expect([(await answered(first)).value, (await answered(second)).value]).toEqual([true, true])
  })

  test("uses its threads again (L4)", async () => {
    const count = await load("globalThis.n = (globalThis.n ?? 0) + 1; return globalThis.n")
    const counts = new Set<unknown>()
    for (let i = 0; i < 10; i++) counts.add((await call(count)).value)
    expect(counts.size).toBe(10)
    expect(pool.size).toBe(1)
  })

  test("waits for a promise that a sync function hands out, and says that it was one", async () => {
    const later = await load(
      "return Bun.sleep(1).then(() => { if (a) throw new Error(a); return 7 })",
    )
    expect(await call(later)).toEqual({ kind: "value", value: 7, wasPromise: true })
    expect(await call(later, "no")).toMatchObject({ kind: "thrown", wasPromise: true })
  })

  test("ends a thread that runs for ever, and only the call that it ran (L2, L4)", async () => {
    const spin = await load("for (;;) {}")
    const add = await load("return a + b")
    const spinning = run(spin)
    const neighbours = Array.from({ length: 10 }, (_, i) => run(add, i, 1))
    for (const [i, id] of neighbours.entries()) expect((await answered(id)).value).toBe(i + 1)
    pool.cancel(spinning)
    expect(await answered(spinning)).toMatchObject({
      kind: "failed",
      value: { code: "CANCELLED", ran: "maybe" },
    })
    expect((await call(add, 1, 2)).value).toBe(3)
  })

  test("gives nothing to a thread that is ending, also when its call ends by itself (J1)", async () => {
    makePool({ threadsMax: 1 })
    const nap = await load("Bun.sleepSync(a); return a")
    for (let round = 0; round < 15; round++) {
      const first = run(nap, round % 3)
      const second = run(nap, 0)
      await Bun.sleep(round % 3)
      pool.cancel(first)
      await answered(first)
      expect(await answered(second)).toMatchObject({ kind: "value", value: 0 })
    }
  })

  test('takes a cancelled call out of the queue; it did not run (ran "no")', async () => {
    makePool({ threadsMax: 1 })
    const mark = await load("require('node:fs').writeFileSync(a, ''); return 1")
    const spin = await load("for (;;) {}")
    const spinning = run(spin)
    const path = folder.join("marked")
    const waiting = run(mark, path)
    pool.cancel(waiting)
    expect((await answered(waiting)).value).toMatchObject({ code: "CANCELLED", ran: "no" })
    pool.cancel(spinning)
    await answered(spinning)
    expect((await call(mark, folder.join("other"))).value).toBe(1)
    expect(await Bun.file(path).exists()).toBe(false)
  })

  test("passes over the cancel of a call that has ended or never was", async () => {
    const add = await load("return a + b")
    const id = run(add, 1, 2)
    await answered(id)
    pool.cancel(id)
    pool.cancel(12_345)
    pool.cancel(0)
    expect((await call(add, 3, 4)).value).toBe(7)
  })

  test("ends all calls when it is told to, and can go on", async () => {
    const spin = await load("for (;;) {}")
    const calls = [run(spin), run(spin), run(spin)]
    pool.cancelAll()
    for (const id of calls) expect((await answered(id)).kind).toBe("failed")
    const add = await load("return a + b")
    expect((await call(add, 1, 1)).value).toBe(2)
  })

  test.each([
    ["process.exit(3)", "exit code 3"],
    ["process.exit(0)", "exit code 0"],
  ])("tells the end of a thread by %s, of that call only", async (code, how) => {
    const exit = await load(code)
    const add = await load("return a + b")
    const exiting = run(exit)
    const neighbours = Array.from({ length: 5 }, (_, i) => run(add, i, 1))
    const answer = await answered(exiting)
    expect(answer.value).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    expect(String(answer.value)).toContain(how)
    for (const [i, id] of neighbours.entries()) expect((await answered(id)).value).toBe(i + 1)
  })

  test("ends threads that have nothing to do, and starts others when there is", async () => {
    makePool({ idleMs: 10 })
    const add = await load("return a + b")
    await call(add, 1, 2)
    await until(() => pool.size === 0, "the idle thread to end")
    expect((await call(add, 3, 4)).value).toBe(7)
  })

  test("keeps as many as it is told, however long they have nothing to do", async () => {
    makePool({ threadsMax: 4, idleMs: 10, kept: 1 })
    const nap = await load("Bun.sleepSync(a); return a")
    await Promise.all([1, 2, 3, 4].map(() => call(nap, 100)))
    expect(pool.size).toBeGreaterThan(1)
    await until(() => pool.size === 1, "the others to end")
    await Bun.sleep(50)
    expect(pool.size).toBe(1)
    makePool() // The one that is kept ends with the process.
  })

  test("does not count the time of a call as idle", async () => {
    makePool({ threadsMax: 1, idleMs: 20 })
    const nap = await load("Bun.sleepSync(a); return a")
    await call(nap, 0)
    expect(await call(nap, 60)).toMatchObject({ kind: "value", value: 60 })
  })

  test("does not lose a call to a thread that is about to end for want of work (J1)", async () => {
    makePool({ threadsMax: 1, idleMs: 1 })
    const add = await load("return a + b")
    for (let i = 0; i < 25; i++) {
      await Bun.sleep(1)
      expect(await call(add, i, 1)).toMatchObject({ kind: "value", value: i + 1 })
    }
  })

  test("never has more threads than it may", async () => {
    const nap = await load("Bun.sleepSync(10); return a")
    const calls = Array.from({ length: 8 }, (_, i) => run(nap, i))
    let most = 0
    for (const id of calls) {
      most = Math.max(most, pool.size)
      await answered(id)
    }
    expect(most).toBeLessThanOrEqual(2)
    expect(most).toBe(2)
  })
})

describe("ThreadPool.load()", () => {
  test("says what is wrong with the code", async () => {
    const error = await caught(loadModule("throw new RangeError('top')", 5_000))
    expect(error).toMatchObject({ code: "DEPLOY_FAILED" })
    expect(error.message).toContain("RangeError: top")
  })

  test.each([
    ["awaits for ever", "await new Promise(() => {}); export default () => 1"],
    ["runs for ever", "for (;;) {}; export default () => 1"],
  ])("does not wait for code that %s, and gets its thread back", async (_what, code) => {
    makePool({ threadsMax: 1 })
    const error = await caught(loadModule(code, 60))
    expect(error).toMatchObject({ code: "DEPLOY_FAILED", ran: "no" })
    expect(error.message).toContain("60 ms")
    const add = await load("return a + b")
    expect((await call(add, 1, 2)).value).toBe(3)
  })

  test("is bounded as well while all threads are busy", async () => {
    makePool({ threadsMax: 1 })
    const spin = await load("for (;;) {}")
    const spinning = run(spin)
    expect((await caught(load("return 1", 30))).message).toContain("30 ms")
    pool.cancel(spinning)
    await answered(spinning)
  })
})
