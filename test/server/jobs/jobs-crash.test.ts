import { describe, expect, test } from "bun:test"
import { JOBS_MAX } from "../../../protocol/limits.ts"
import { caught } from "../../support/caught.ts"
import { JobLab } from "../../support/job-lab.ts"
import { ARGS, feed } from "../../support/large-jobs.ts"
import { until } from "../../support/until.ts"

describe("after a daemon that died", () => {
  test("a job that waited runs", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ delayMs: 10 })
    await lab.restart()
    lab.clock.advance(10)
    lab.reply(await lab.called(1))
    expect(await lab.ended(id)).toMatchObject({ state: "succeeded" })
  })

  test("a job that ran has failed, and says that it may have run; it does not run again", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    await lab.called(1)
    await lab.restart()
    expect(lab.jobs.status(id)).toMatchObject({ state: "failed", attempts: 1 })
    expect(JSON.parse((await lab.outcome(id)).text)).toMatchObject({
      code: "WORKER_LOST",
      ran: "maybe",
      env: "lab",
      function: "f",
    })
    lab.clock.advance(60_000)
    expect(lab.calls).toEqual([])
  })

  test("a durable job that ran is tried again, as often as it may", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ durable: true, attempts: 2 })
    await lab.called(1)
    await lab.restart()
    expect(lab.jobs.status(id)).toMatchObject({ state: "queued", attempts: 1 })
    lab.clock.advance(1_000)
    await lab.called(1)
    await lab.restart()
    expect(lab.jobs.status(id)).toMatchObject({ state: "failed", attempts: 2, dead: true })
  })

  test("a job that has ended is there, with its result, thrown value and error", async () => {
    const lab = await JobLab.open()
    const ids = []
    for (const [index, end] of ["value", "thrown"].entries()) {
      const { id } = await lab.start()
      ids.push(id)
      const call = await lab.called(index + 1)
      if (end === "value") lab.reply(call, "v")
      else lab.fail(call, "t")
      await lab.ended(id)
    }
    await lab.restart()
    const outcomes = await Promise.all(ids.map((id) => lab.outcome(id)))
    expect(outcomes).toEqual([
      { kind: "value", text: "v" },
      { kind: "thrown", text: "t" },
    ])
  })

  /**
   * A job of two attempts, the first of which fails, writes five times: record, running, queued, running, end. The daemon
   * dies before any one of these writes: what the next one finds must be the truth.
   */
  for (const durable of [false, true]) {
    for (let writes = 0; writes <= 4; writes++) {
      test(`${durable ? "a durable" : "an ordinary"} job whose daemon died before write ${writes + 1} tells the truth`, async () => {
        const lab = await JobLab.open()
        lab.store.writesLeft = writes
        const started = lab.start({ id: "j", durable }).then(
          () => true,
          () => false,
        )
        let ran = 0
        const step = async (answer: () => void, count: number) => {
          const isSent = await Promise.race([
            lab.called(count).then(() => true),
            until(() => lab.store.writesLeft < 0, "the death of the daemon").then(() => false),
          ])
          if (!isSent) return
          ran++
          answer()
        }
        await step(() => lab.fail(lab.calls[0] ?? never()), 1)
        if (durable && writes > 2) {
          await lab.inState("j", "queued")
          lab.clock.advance(1_000)
          await step(() => lab.reply(lab.calls[1] ?? never()), 2)
        }
        await until(() => lab.store.writesLeft < 0 || !durable, "the death of the daemon")
        if (!durable && writes > 2) await lab.ended("j")
        await lab.restart({ begins: false })
        const found = lab.jobs.list(undefined, 10)
        // Nobody was told that it was accepted.
        if (writes === 0) return expect([await started, found]).toEqual([false, []])
        expect(await started).toBe(true)
        const [job] = found
        // What ran is known to have been attempted (J1), and only a durable job is ever tried again.
        expect(job?.attempts).toBeGreaterThanOrEqual(ran)
        if (writes === 1) expect(job).toMatchObject({ state: "queued", attempts: 0 })
        else if (!durable) expect(job).toMatchObject({ state: "failed", attempts: 1 })
        else if (writes < 4) expect(job).toMatchObject({ state: "queued", attempts: 1 })
        else expect(job).toMatchObject({ state: "queued", attempts: 2 })
      })
    }
  }

  test("entries that cannot be read are told and left out, and steps without a record are swept", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ delayMs: 1_000 })
    const nothing = new Uint8Array(0)
    await lab.store.put("job.bad.record", { id: 7 }, nothing)
    await lab.store.put("job.worse.step", { state: "asleep" }, nothing)
    await lab.store.put("job.orphan.step", { state: "running", attempts: 1 }, nothing)
    await lab.restart()
    expect(lab.jobs.list(undefined, 10).map((job) => job.id)).toEqual([id])
    expect(lab.problems).toHaveLength(2)
    await until(() => !lab.store.entries.has("job.orphan.step"), "the sweep")
  })
})

describe("while the store is away", () => {
  test("a job that ends is told about once its end is written", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    const call = await lab.called(1)
    lab.store.isAway = true
    lab.reply(call)
    await Bun.sleep(20)
    expect(lab.jobs.status(id).state).toBe("running")
    lab.store.isAway = false
    expect(await lab.ended(id)).toMatchObject({ state: "succeeded" })
  })

  test("the start of a job waits", async () => {
    const lab = await JobLab.open()
    lab.store.isAway = true
    const started = lab.start()
    await Bun.sleep(20)
    lab.store.isAway = false
    lab.reply(await lab.called(1))
    expect(await lab.ended((await started).id)).toMatchObject({ state: "succeeded" })
  })
})

describe("a job whose outcome the store does not take", () => {
  test("fails as too large, and says that it ran, by a thrown value that its record cannot hold", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    lab.store.bodyBytesMax = 300
    lab.fail(await lab.called(1), "x".repeat(301))
    await lab.ended(id)
    expect(JSON.parse((await lab.outcome(id)).text)).toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
      ran: "yes",
    })
  })
})

describe("where records take little", () => {
  test("a longer result is kept beside them, also over a restart", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    lab.store.bodyBytesMax = 300
    const result = "x".repeat(301)
    lab.reply(await lab.called(1), result)
    await lab.ended(id)
    expect(await lab.outcome(id)).toEqual({ kind: "value", text: result })
    await lab.restart()
    expect(await lab.outcome(id)).toEqual({ kind: "value", text: result })
  })

  test("longer arguments are kept beside them, and fed to the env process", async () => {
    const lab = await JobLab.open()
    lab.store.bodyBytesMax = 20
    const { id } = await lab.start({}, { args: ARGS })
    const call = await lab.called(1)
    await feed(lab, call)
    lab.reply(call, "done")
    await lab.ended(id)
    expect(await lab.outcome(id)).toMatchObject({ text: "done" })
  })
})

describe("more jobs than a daemon keeps", () => {
  test("are refused as OVERLOADED, and taken again once others are forgotten", async () => {
    const lab = await JobLab.open()
    const nothing = new Uint8Array(0)
    const createdAt = lab.clock.now()
    const record = {
      env: "lab",
      function: "f",
      timeoutMs: 0,
      isJson: false,
      createdAt,
      ttlMs: 1_000,
    }
    for (let i = 0; i < JOBS_MAX; i++) {
      const id = `job${i}`
      await lab.store.put(`job.${id}.record`, { ...record, id, delayMs: 0 }, nothing)
      const step = { state: "succeeded", attempts: 1, endedAt: createdAt, outcome: "value" }
      await lab.store.put(`job.${id}.step`, step, nothing)
    }
    await lab.restart()
    expect(await caught(lab.start())).toMatchObject({ code: "OVERLOADED", ran: "no" })
    lab.clock.advance(1_000)
    expect(await lab.start()).toMatchObject({ env: "lab" })
  }, 30_000)
})

function never(): never {
  throw new Error("expected a call")
}
