import { describe, expect, test } from "bun:test"
import { FrameFlag } from "../../../protocol/frame.ts"
import { JOB_LOG_BYTES_MAX, JOB_LOG_WRITE_MS } from "../../../protocol/limits.ts"
import { encodeLines } from "../../../protocol/log-lines.ts"
import { caught } from "../../support/caught.ts"
import { JobLab } from "../../support/job-lab.ts"
import { until } from "../../support/until.ts"

const writesOf = ({ store }: JobLab) => store.written.filter((key) => key.endsWith(".logs")).length
const bytesOf = ({ store }: JobLab, id: string) =>
  store.entries.get(`job.${id}.logs`)?.body.length ?? 0
const never = new AbortController().signal

describe("what a job prints", () => {
  test("is asked for, kept, and told after its end and after a restart", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    const call = await lab.called(1)
    expect(call.flags & FrameFlag.logs).not.toBe(0)
    lab.print(call, "one", "two")
    lab.print(call, "three")
    lab.reply(call)
    await lab.ended(id)
    const expected = {
      job: { id, state: "succeeded", callId: "boot-1" },
      lines: [
        {
          line: 0,
          callId: "boot-1",
          stream: "stdout",
          time: new Date(7).toISOString(),
          text: "one",
        },
        { line: 1, text: "two" },
        { line: 2, text: "three" },
      ],
      next: 3,
    }
    expect(await lab.jobs.logs(id, 0, 0, never)).toMatchObject(expected)
    await lab.restart()
    expect(await lab.jobs.logs(id, 0, 0, never)).toMatchObject(expected)
    expect(await lab.lines(id, 2)).toEqual(["2 three"])
    expect(await lab.lines(id, 3)).toEqual([])
  })

  test("is nothing where nothing is printed, and nothing is written for it", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    lab.reply(await lab.called(1))
    await lab.ended(id)
    lab.clock.advance(10 * JOB_LOG_WRITE_MS)
    expect(await lab.jobs.logs(id, 0, 60_000, never)).toMatchObject({ lines: [], next: 0 })
    expect([...lab.store.entries.keys()]).toEqual([`job.${id}.record`, `job.${id}.step`])
    expect(lab.store.written).toHaveLength(3)
  })

  test("is written at most once a second, and not told before", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    const call = await lab.called(1)
    for (let i = 0; i < 100; i++) {
      lab.print(call, `line ${i}`)
      lab.clock.advance(9)
    }
    expect([writesOf(lab), await lab.lines(id)]).toEqual([0, []])
    lab.clock.advance(JOB_LOG_WRITE_MS)
    await until(() => writesOf(lab) === 1, "a write")
    await until(async () => (await lab.lines(id)).length === 100, "the lines")
    lab.clock.advance(10 * JOB_LOG_WRITE_MS)
    lab.print(call, "last")
    lab.reply(call)
    await lab.ended(id)
    expect(writesOf(lab)).toBe(2)
    expect(await lab.lines(id, 100)).toEqual(["100 last"])
  })

  test("is in the store when the end is told, also where a write was on the way", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    const call = await lab.called(1)
    lab.print(call, "one")
    lab.store.isAway = true
    lab.clock.advance(JOB_LOG_WRITE_MS)
    lab.print(call, "two")
    lab.reply(call)
    await Bun.sleep(20)
    expect(lab.jobs.status(id).state).toBe("running")
    lab.store.isAway = false
    await lab.ended(id)
    expect(await lab.lines(id)).toEqual(["0 one", "1 two"])
    expect(writesOf(lab)).toBe(2)
  })

  test("is of all attempts, each with its call, over restarts; what a dead daemon had not written is gone", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ durable: true })
    lab.print(await lab.called(1), "first")
    lab.fail(await lab.called(1))
    await lab.inState(id, "queued")
    expect(await lab.lines(id)).toEqual(["0 first"])
    lab.clock.advance(1_000)
    lab.print(await lab.called(2), "second")
    lab.clock.advance(JOB_LOG_WRITE_MS)
    await until(async () => (await lab.lines(id)).length === 2, "the second line")
    lab.print(await lab.called(2), "never told")
    await lab.restart()
    expect(await lab.lines(id)).toEqual(["0 first", "1 second"])
    lab.clock.advance(2_000)
    const call = await lab.called(1)
    lab.print(call, "third")
    lab.reply(call)
    await lab.ended(id)
    const { lines } = await lab.jobs.logs(id, 0, 0, never)
    expect(lines.map(({ line, callId, text }) => [line, callId, text])).toEqual([
      [0, "boot-1", "first"],
      [1, "boot-2", "second"],
      [2, "boot-1", "third"],
    ])
  })

  test("is kept when the job is cancelled, and when its env process is lost", async () => {
    const lab = await JobLab.open()
    const [one, two] = [await lab.start(), await lab.start()]
    lab.print(await lab.called(1), "of one")
    lab.print(await lab.called(2), "of two")
    await lab.jobs.cancel(one.id)
    lab.loseEnv()
    await lab.ended(two.id)
    expect([await lab.lines(one.id), await lab.lines(two.id)]).toEqual([["0 of one"], ["0 of two"]])
  })

  test("is forgotten with the job, and without a job is swept", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ ttlMs: 1_000 })
    const call = await lab.called(1)
    lab.print(call, "x")
    lab.reply(call)
    await lab.ended(id)
    await lab.store.put("job.orphan.logs", { start: 0, end: 1 }, new Uint8Array(4))
    await lab.restart()
    await until(() => !lab.store.entries.has("job.orphan.logs"), "the sweep")
    lab.clock.advance(1_000)
    expect((await caught(lab.jobs.logs(id, 0, 0, never))).code).toBe("NOT_FOUND")
    await until(() => lab.store.entries.size === 0, "an empty store")
  })
})

describe("waiting for lines", () => {
  test("ends with the next line, with the end of the job, and with its time", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    const call = await lab.called(1)
    expect(await lab.jobs.logs(id, 0, 10, never)).toMatchObject({ lines: [], next: 0 })
    const first = lab.jobs.logs(id, 0, 60_000, never)
    lab.print(call, "one")
    lab.clock.advance(JOB_LOG_WRITE_MS)
    expect(await first).toMatchObject({
      lines: [{ text: "one" }],
      next: 1,
      job: { state: "running" },
    })
    const last = lab.jobs.logs(id, 1, 60_000, never)
    lab.reply(call)
    expect(await last).toMatchObject({ lines: [], next: 1, job: { state: "succeeded" } })
  })

  test("ends when nobody waits any more", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    await lab.called(1)
    const controller = new AbortController()
    const waiting = lab.jobs.logs(id, 0, 60_000, controller.signal)
    controller.abort()
    expect(await waiting).toMatchObject({ lines: [], next: 0 })
  })

  test("from beyond the end does not wait, and says where the end is", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    lab.print(await lab.called(1), "one")
    lab.clock.advance(JOB_LOG_WRITE_MS)
    await until(async () => (await lab.lines(id)).length === 1, "the line")
    expect(await lab.jobs.logs(id, 7, 60_000, never)).toMatchObject({ lines: [], next: 1 })
  })
})

describe("a flood", () => {
  test("is kept up to the bound: the oldest go, and every line keeps its number", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ durable: true })
    const call = await lab.called(1)
    const text = "x".repeat(1_000)
    for (let i = 0; i < 1_000; i++) lab.print(call, `${i} ${text}`)
    lab.fail(call)
    await lab.inState(id, "queued")
    const lines = await lab.lines(id)
    expect(lines.at(-1)).toStartWith("999 999 ")
    for (const line of lines) expect(line).toMatch(/^(\d+) \1 /)
    expect(bytesOf(lab, id)).toBeLessThanOrEqual(JOB_LOG_BYTES_MAX)
    expect(bytesOf(lab, id)).toBeGreaterThan(JOB_LOG_BYTES_MAX - 2_000)
    // Another attempt takes its room from the same bound.
    lab.clock.advance(1_000)
    const second = await lab.called(2)
    lab.print(second, `1000 ${text}`)
    lab.reply(second)
    await lab.ended(id)
    expect((await lab.lines(id)).at(-1)).toStartWith("1000 1000 ")
    expect(bytesOf(lab, id)).toBeLessThanOrEqual(JOB_LOG_BYTES_MAX)
  })

  test("has numbers for what was dropped before it came here, and for a frame that is too large", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    const call = await lab.called(1)
    lab.print(call, "x".repeat(JOB_LOG_BYTES_MAX))
    const payload = encodeLines([{ stream: "stderr", timeMs: 0, text: "kept" }])
    lab.printed(call, { target: 1, timeoutMs: 1_000, payload })
    lab.printed(call, { target: 0, timeoutMs: 5, payload: encodeLines([]) })
    lab.reply(call)
    await lab.ended(id)
    const { lines, next } = await lab.jobs.logs(id, 0, 0, never)
    expect(lines.map(({ line, text }) => [line, text])).toEqual([[1_001, "kept"]])
    expect(next).toBe(1_007)
  })

  test("gets less room where the broker takes less, and fails no job", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    const call = await lab.called(1)
    lab.store.bodyBytesMax = 10_000
    for (let i = 0; i < 50; i++) lab.print(call, `${i} ${"x".repeat(1_000)}`)
    lab.reply(call)
    expect(await lab.ended(id)).toMatchObject({ state: "succeeded" })
    const lines = await lab.lines(id)
    expect(lines.at(-1)).toStartWith("49 49 ")
    expect(bytesOf(lab, id)).toBeGreaterThan(5_000)
  })
})

test("lines of an env process that lies are counted, and do no harm", async () => {
  const lab = await JobLab.open()
  const { id } = await lab.start()
  const call = await lab.called(1)
  const two = (["a", "b"] as const).map((text) => ({ stream: "stdout", timeMs: 0, text }) as const)
  lab.printed(call, { target: 1, payload: encodeLines(two) })
  lab.printed(call, { target: 3, payload: encodeLines(two) })
  lab.printed(call, { target: 1, payload: "no JSON" })
  lab.printed(call, { target: 1, payload: `[1e300,1,"never"]` })
  for (let i = 0; i < 3; i++) {
    lab.printed(call, { target: 0xffff_ffff, timeoutMs: 0xffff_ffff, payload: "[]" })
  }
  lab.print(call, "the truth")
  lab.reply(call)
  await lab.ended(id)
  const end = 6 + 6 * 0xffff_ffff
  expect(await lab.lines(id)).toEqual(["0 a", "1 a", "2 b", `${end} the truth`])
})

test("what jobs print takes room from that of all jobs, and gives it back", async () => {
  const lab = await JobLab.open()
  const { id } = await lab.start({ ttlMs: 1_000 })
  const call = await lab.called(1)
  lab.print(call, "x".repeat(10_000))
  lab.clock.advance(JOB_LOG_WRITE_MS)
  await until(() => lab.service.room.bytes > 10_000, "the lines to be counted")
  lab.reply(call, "result")
  await lab.ended(id)
  expect(lab.service.room.bytes).toBe("args".length + "result".length + bytesOf(lab, id))
  const { bytes } = lab.service.room
  await lab.restart()
  expect(lab.service.room.bytes).toBe(bytes)
  lab.clock.advance(1_000)
  expect(lab.service.room.bytes).toBe(0)
})
