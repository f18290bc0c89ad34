import { describe, expect, test } from "bun:test"
import { mkdirSync } from "node:fs"
import { ThreadLab } from "../../support/thread-lab.ts"
import { until } from "../../support/until.ts"

describe("Crew", () => {
  test("never lets a call wait for the end of a long one while there may be more threads (L1)", async () => {
    await using lab = new ThreadLab({ threadsMax: 24, idleMs: 1_000 })
    // Each ends only when all have begun.
    const gather = await lab.load(`
      const fs = require("node:fs")
      fs.writeFileSync(a + "/" + b, "")
      for (let i = 0; i < 8000 && fs.readdirSync(a).length < 24; i++) Bun.sleepSync(1)
      return fs.readdirSync(a).length`)
    const room = lab.folder.join("room")
    mkdirSync(room)
    const calls = Array.from({ length: 24 }, (_, i) => lab.run(gather, room, String(i)))
    for (const id of calls) expect((await lab.answered(id)).value).toBe(24)
    expect(lab.pool.size).toBe(24)
  })

  test("keeps short calls on few threads, however many there may be", async () => {
    await using lab = new ThreadLab({ threadsMax: 500, idleMs: 300 })
    const add = await lab.load("return a + b")
    for (let round = 0; round < 20; round++) {
      const calls = Array.from({ length: 100 }, (_, i) => [i, lab.run(add, i, round)] as const)
      for (const [i, id] of calls) expect((await lab.answered(id)).value).toBe(i + round)
    }
    expect(lab.pool.size).toBeLessThan(100)
  })

  test("keeps the oldest threads, which have compiled most, and uses them first", async () => {
    await using lab = new ThreadLab({ threadsMax: 8, idleMs: 100, kept: 1 })
    const mark = await lab.load("globalThis.isFirst = true")
    const gather = await lab.load(`
      const fs = require("node:fs")
      fs.writeFileSync(a + "/" + b, "")
      for (let i = 0; i < 8000 && fs.readdirSync(a).length < 8; i++) Bun.sleepSync(1)`)
    const isFirst = await lab.load("return globalThis.isFirst === true")
    await lab.call(mark)
    for (let round = 0; round < 2; round++) {
      const room = lab.folder.join(`room${round}`)
      mkdirSync(room)
      const calls = Array.from({ length: 8 }, (_, i) => lab.run(gather, room, String(i)))
      for (const id of calls) await lab.answered(id)
      expect(lab.pool.size).toBe(8)
      expect((await lab.call(isFirst)).value).toBe(true)
      await until(() => lab.pool.size === 1, "the others to end")
      expect((await lab.call(isFirst)).value).toBe(true)
    }
  })

  test("moves what is queued behind a call that is stopped, and behind one that ends its thread", async () => {
    await using lab = new ThreadLab({ threadsMax: 1 })
    const spin = await lab.load("for (;;) {}")
    const exit = await lab.load("process.exit(1)")
    const add = await lab.load("return a + b")
    for (let round = 0; round < 2; round++) {
      const spinning = lab.run(spin)
      const exiting = lab.run(exit)
      const behind = Array.from({ length: 10 }, (_, i) => lab.run(add, i, round))
      lab.pool.cancel(spinning)
      expect((await lab.answered(spinning)).value).toMatchObject({ code: "CANCELLED" })
      expect((await lab.answered(exiting)).value).toMatchObject({
        code: "WORKER_LOST",
        ran: "maybe",
      })
      for (const [i, id] of behind.entries()) expect((await lab.answered(id)).value).toBe(i + round)
    }
  })

  test("takes a call back that waits for a function which another thread would load", async () => {
    await using lab = new ThreadLab({ threadsMax: 2 })
    const spin = await lab.load("for (;;) {}")
    const add = await lab.load("return a + b")
    const spinning = [lab.run(spin), lab.run(spin)]
    const waiting = lab.run(add, 1, 2)
    lab.pool.cancel(waiting)
    expect((await lab.answered(waiting)).value).toMatchObject({ code: "CANCELLED", ran: "no" })
    for (const id of spinning) lab.pool.cancel(id)
    for (const id of spinning) await lab.answered(id)
    expect((await lab.call(add, 3, 4)).value).toBe(7)
  })

  test("carries large arguments and results, in any mixture with small ones", async () => {
    await using lab = new ThreadLab()
    const echo = await lab.load("return a")
    const sizes = [10, 600_000, 20, 9_000, 300_000, 0, 70_000, 8_190]
    const calls = Array.from({ length: 40 }, (_, i) => {
      const text = String.fromCharCode(97 + (i % 26)).repeat(sizes[i % sizes.length] ?? 0)
      return [text, lab.run(echo, text)] as const
    })
    for (const [text, id] of calls) {
      const { value } = await lab.answered(id)
      expect(value === text).toBe(true)
    }
  })

  test("lets timers of earlier calls run while many calls come (H3)", async () => {
    await using lab = new ThreadLab({ threadsMax: 1, idleMs: 1_000 })
    const leave = await lab.load("setTimeout(() => (globalThis.fired = true), 1); return 0")
    const look = await lab.load("return globalThis.fired === true")
    await lab.call(leave)
    const fired = async () => {
      const calls = Array.from({ length: 300 }, () => lab.run(look))
      const answers = await Promise.all(calls.map((id) => lab.answered(id)))
      return answers.at(-1)?.value === true
    }
    await until(fired, "the timer to run")
  })

  test("never lets a call wait behind one that computes a little and then sleeps, whenever a tick looks at it (L1)", async () => {
    await using lab = new ThreadLab()
    const path = lab.folder.join("mark")
    // It wakes so seldom that it uses less of a processor than a long call.
    const dawdle = await lab.load(`
      const { existsSync } = require("node:fs")
      for (const end = performance.now() + a; performance.now() < end; );
      for (let i = 0; i < 15 && !existsSync(b); i++) Bun.sleepSync(200)
      return existsSync(b)`)
    const mark = await lab.load(`require("node:fs").writeFileSync(a, "")`)
    for (let i = 0; i < 16; i++) {
      const own = `${path}-${i}`
      // Between one tick and three.
      const slow = lab.run(dawdle, 1 + i / 4, own)
      const quick = lab.run(mark, own)
      await lab.answered(quick)
      expect([i, (await lab.answered(slow)).value]).toEqual([i, true])
    }
  })
})
