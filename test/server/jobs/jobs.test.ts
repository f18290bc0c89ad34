import { describe, expect, test } from "bun:test"
import { encodeErrorRecord, BunhouseError } from "../../../protocol/errors.ts"
import { JOB_TTL_MS_DEFAULT, JOBS_LISTED_MAX } from "../../../protocol/limits.ts"
import { caught } from "../../support/caught.ts"
import { JobLab } from "../../support/job-lab.ts"
import { until } from "../../support/until.ts"

describe("a job", () => {
  test("is queued, running, succeeded; each step is in the store before the next one begins", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    const call = await lab.called(1)
    expect(call).toMatchObject({ target: 7, text: "args", timeoutMs: 0 })
    expect(lab.store.written).toEqual([`job.${id}.record`, `job.${id}.step running`])
    expect(lab.jobs.status(id)).toMatchObject({ state: "running", attempts: 1, callId: "boot-1" })
    lab.reply(call)
    expect(await lab.ended(id)).toMatchObject({ state: "succeeded", attempts: 1, dead: false })
    expect(lab.store.written.at(-1)).toBe(`job.${id}.step succeeded`)
    expect(await lab.outcome(id)).toEqual({ kind: "value", text: "result" })
  })

  test("that throws is failed, and what it threw is kept as it came", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    lab.fail(await lab.called(1), "\u0000 not for the daemon to read")
    expect(await lab.ended(id)).toMatchObject({ state: "failed", reason: "the function threw" })
    expect(await lab.outcome(id)).toEqual({
      kind: "thrown",
      text: "\u0000 not for the daemon to read",
    })
  })

  test("has the progress that its function reported last, also after its end", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    const call = await lab.called(1)
    lab.report(call, { fraction: 0.25, message: "a quarter" })
    lab.report(call, { fraction: 2 })
    lab.report(call, { nonsense: true })
    expect(lab.jobs.status(id).progress).toEqual({ fraction: 0.25, message: "a quarter" })
    lab.reply(call)
    await lab.ended(id)
    await lab.restart()
    expect(lab.jobs.status(id).progress).toEqual({ fraction: 0.25, message: "a quarter" })
  })

  test("with a delay runs when its time has come, also after a restart", async () => {
    const lab = await JobLab.open()
    const { id, runAt } = await lab.start({ delayMs: 60_000 })
    expect(runAt).toBe(new Date(lab.clock.now() + 60_000).toISOString())
    lab.clock.advance(59_000)
    await lab.restart()
    lab.clock.advance(999)
    expect(lab.calls).toEqual([])
    lab.clock.advance(1)
    lab.reply(await lab.called(1))
    expect(await lab.ended(id)).toMatchObject({ state: "succeeded" })
  })

  test("under an id that is taken is the job that is there; of another function it is refused", async () => {
    const lab = await JobLab.open()
    lab.env.add("g", { index: 8 })
    const [first, second] = await Promise.all([lab.start({ id: "one" }), lab.start({ id: "one" })])
    expect([first.id, second.id]).toEqual(["one", "one"])
    const refusal = await caught(lab.start({ id: "one" }, { function: "g" }))
    expect(refusal).toMatchObject({ code: "INVALID_ARGUMENT", ran: "no" })
    lab.reply(await lab.called(1))
    await lab.ended("one")
    expect(await lab.start({ id: "one" })).toMatchObject({ state: "succeeded" })
    expect(lab.calls).toHaveLength(1)
  })

  test("of a function that is not there is refused", async () => {
    const lab = await JobLab.open()
    expect((await caught(lab.start({}, { function: "g" }))).code).toBe("NOT_FOUND")
    expect(lab.store.entries.size).toBe(0)
  })

  test("whose function is deleted while it waits fails, and says that nothing ran", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ delayMs: 1_000, durable: true })
    lab.env.functions.delete("f")
    lab.clock.advance(1_000)
    expect(await lab.ended(id)).toMatchObject({ state: "failed", attempts: 0, dead: true })
    const { kind, text } = await lab.outcome(id)
    expect(kind).toBe("failed")
    expect(JSON.parse(text)).toMatchObject({ code: "NOT_FOUND", ran: "no" })
  })

  test("that nobody knows is NOT_FOUND", async () => {
    const lab = await JobLab.open()
    expect(() => lab.jobs.status("x")).toThrow("there is no job")
    expect((await caught(lab.jobs.cancel("x"))).code).toBe("NOT_FOUND")
  })

  test("is forgotten when its time is over, in memory and in the store, also after a restart", async () => {
    const lab = await JobLab.open()
    const [a, b, c] = await Promise.all([lab.start(), lab.start(), lab.start({ ttlMs: 5_000 })])
    for (const [index, { id }] of [a, b, c].entries()) {
      lab.reply(await lab.called(index + 1))
      await lab.ended(id)
    }
    lab.clock.advance(5_000)
    expect(() => lab.jobs.status(c.id)).toThrow("there is no job")
    expect(lab.jobs.list(undefined, 10)).toHaveLength(2)
    await lab.restart()
    expect(lab.jobs.list(undefined, 10)).toHaveLength(2)
    lab.clock.advance(JOB_TTL_MS_DEFAULT)
    expect(lab.jobs.list(undefined, 10)).toEqual([])
    await until(() => lab.store.entries.size === 0, "an empty store")
  })
})

describe("jobs", () => {
  test("have half of the places of an env; the others wait in order", async () => {
    const lab = await JobLab.open({ concurrency: 4 })
    const started = []
    for (let i = 0; i < 5; i++) started.push(await lab.start({}, { args: `args ${i}` }))
    lab.reply(await lab.called(2))
    await lab.called(3)
    expect(lab.calls.map(({ text }) => text)).toEqual(["args 0", "args 1", "args 2"])
    expect(lab.env.lanes.loop.running).toBe(2)
    expect(lab.jobs.list("queued", 10).map(({ id }) => id)).toEqual(
      [started[4], started[3]].map((job) => job?.id ?? ""),
    )
    for (let i = 0; i < 5; i++) {
      if (i === 1) continue
      lab.reply(await lab.called(i + 1))
    }
    for (const { id } of started) expect((await lab.ended(id)).state).toBe("succeeded")
  })

  test("are listed newest first, by state, and no more than asked for", async () => {
    const lab = await JobLab.open()
    for (const id of ["a", "b", "c"]) await lab.start({ id, delayMs: 1_000 })
    await lab.jobs.cancel("b")
    expect(ids(lab.jobs.list(undefined, JOBS_LISTED_MAX))).toEqual(["c", "b", "a"])
    expect(ids(lab.jobs.list("queued", JOBS_LISTED_MAX))).toEqual(["c", "a"])
    expect(ids(lab.jobs.list("cancelled", JOBS_LISTED_MAX))).toEqual(["b"])
    expect(ids(lab.jobs.list("queued", 1))).toEqual(["c"])
    expect(lab.jobs.list("dead", JOBS_LISTED_MAX)).toEqual([])
  })
})

describe("cancelling a job", () => {
  test("that waits for its time, or for a place, keeps it from running for good", async () => {
    const lab = await JobLab.open({ concurrency: 2 })
    const running = await lab.start()
    const call = await lab.called(1)
    const [queued, delayed] = await Promise.all([lab.start(), lab.start({ delayMs: 1_000 })])
    for (const { id } of [queued, delayed]) {
      expect(await lab.jobs.cancel(id)).toMatchObject({ state: "cancelled", attempts: 0 })
      expect(JSON.parse((await lab.outcome(id)).text)).toMatchObject({
        code: "CANCELLED",
        ran: "no",
      })
    }
    lab.reply(call)
    await lab.ended(running.id)
    lab.clock.advance(1_000)
    await lab.restart()
    expect(lab.calls).toEqual([])
    expect(lab.jobs.list("cancelled", 10)).toHaveLength(2)
  })

  test("that runs cancels its call; twice is fine, and a durable one is not tried again", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ durable: true })
    const call = await lab.called(1)
    const both = await Promise.all([lab.jobs.cancel(id), lab.jobs.cancel(id)])
    expect(both.map(({ state }) => state)).toEqual(["cancelled", "cancelled"])
    expect(lab.env.link?.cancels).toEqual([call.id])
    expect(JSON.parse((await lab.outcome(id)).text)).toMatchObject({
      code: "CANCELLED",
      ran: "maybe",
    })
    expect(lab.store.written.filter((line) => line.endsWith("cancelled"))).toHaveLength(1)
  })

  test("that has ended changes nothing", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    lab.reply(await lab.called(1))
    await lab.ended(id)
    expect(await lab.jobs.cancel(id)).toMatchObject({ state: "succeeded" })
  })

  test("between two attempts says that it may have run", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ durable: true })
    lab.fail(await lab.called(1))
    await lab.inState(id, "queued")
    expect(await lab.jobs.cancel(id)).toMatchObject({ state: "cancelled", attempts: 1 })
    expect(JSON.parse((await lab.outcome(id)).text)).toMatchObject({ ran: "maybe" })
  })
})

describe("an ordinary job", () => {
  test("runs once: a lost env process is its end", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    await lab.called(1)
    lab.loseEnv()
    expect(await lab.ended(id)).toMatchObject({ state: "failed", attempts: 1, dead: false })
    expect(JSON.parse((await lab.outcome(id)).text)).toMatchObject({
      code: "WORKER_LOST",
      ran: "maybe",
    })
  })

  test("that the platform does not take now waits, and it was no attempt", async () => {
    const lab = await JobLab.open()
    lab.dispatcher.refuseAll(new BunhouseError("UNAVAILABLE", "not now"))
    const { id } = await lab.start()
    const { attempts, reason } = await lab.inState(id, "queued").then(() =>
      until(() => {
        const status = lab.jobs.status(id)
        return status.reason === undefined ? undefined : status
      }, "a reason"),
    )
    expect([attempts, reason]).toEqual([0, "UNAVAILABLE: not now"])
    await lab.restart()
    lab.clock.advance(1_000)
    lab.reply(await lab.called(1))
    expect(await lab.ended(id)).toMatchObject({ state: "succeeded", attempts: 1 })
  })
})

describe("a durable job", () => {
  test("is tried again after a loss and after a throw, later each time, until it succeeds", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ durable: true, attempts: 3 })
    await lab.called(1)
    lab.loseEnv()
    const first = await lab.inState(id, "queued")
    expect(first).toMatchObject({ attempts: 1, reason: expect.stringContaining("WORKER_LOST") })
    lab.clock.advance(499) // Half of the first wait is certain.
    expect(lab.calls).toEqual([])
    lab.clock.advance(501)
    lab.fail(await lab.called(1))
    expect(await lab.inState(id, "queued")).toMatchObject({ attempts: 2 })
    lab.clock.advance(999)
    expect(lab.calls).toHaveLength(1)
    lab.clock.advance(1_001)
    lab.reply(await lab.called(2), "at last")
    expect(await lab.ended(id)).toMatchObject({ state: "succeeded", attempts: 3 })
    expect(await lab.outcome(id)).toEqual({ kind: "value", text: "at last" })
  })

  test("that uses up its attempts is in the dead-letter list, with its last error", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ durable: true, attempts: 2 })
    lab.fail(await lab.called(1), "first")
    await lab.inState(id, "queued")
    lab.clock.advance(1_000)
    lab.fail(await lab.called(2), "second")
    expect(await lab.ended(id)).toMatchObject({ state: "failed", attempts: 2, dead: true })
    expect(lab.jobs.list("dead", 10).map((job) => job.id)).toEqual([id])
    expect(await lab.outcome(id)).toEqual({ kind: "thrown", text: "second" })
  })

  test("is not tried again when the next attempt would certainly end alike", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ durable: true })
    const record = encodeErrorRecord(
      new BunhouseError("VALUE_NOT_SENDABLE", "a socket", { ran: "yes" }),
    )
    lab.fail(await lab.called(1), Buffer.from(record).toString(), 0)
    expect(await lab.ended(id)).toMatchObject({ state: "failed", attempts: 1, dead: true })
  })
})

function ids(list: readonly { readonly id: string }[]): string[] {
  return list.map(({ id }) => id)
}
