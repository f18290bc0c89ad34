import { describe, expect, test } from "bun:test"
import { JOB_TTL_MS_DEFAULT, JOBS_BYTES_MAX } from "../../../protocol/limits.ts"
import { readJobOptions } from "../../../protocol/job.ts"
import { caught } from "../../support/caught.ts"
import type { SeenFrame } from "../../support/frames.ts"
import { JobLab } from "../../support/job-lab.ts"
import { MIB } from "../../support/memory.ts"
import {
  ARGS,
  empty,
  feed,
  finish,
  openArguments,
  RESULT,
  sendResult,
} from "../../support/large-jobs.ts"
import { until } from "../../support/until.ts"

describe("a job with large values", () => {
  test("has its arguments in the store before it is one, and its result before it has ended", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({}, { args: openArguments() })
    expect(lab.chunks.texts).toEqual([ARGS])
    const record = lab.store.entries.get(`job.${id}.record`)
    expect(record).toMatchObject({ head: { large: { bytes: ARGS.length } } })
    expect(record?.body).toHaveLength(0)
    const call = await lab.called(1)
    await feed(lab, call)
    lab.report(call, { fraction: 0.5 })
    expect(lab.jobs.status(id).progress).toEqual({ fraction: 0.5 })
    await sendResult(lab, call)
    expect(lab.jobs.status(id).state).toBe("running")
    lab.replyBehindParts(call)
    expect(await lab.ended(id)).toMatchObject({ state: "succeeded", attempts: 1 })
    for (let i = 0; i < 2; i++) {
      expect(await lab.outcome(id)).toEqual({ kind: "value", text: RESULT })
    }
  })

  test("keeps no arguments once it has ended, and nothing once its time is over, also over restarts", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({}, { args: openArguments() })
    await finish(lab, await lab.called(1), id)
    await until(() => lab.chunks.texts.join("|") === RESULT, "the arguments to be gone")
    expect(lab.service.room.bytes).toBe(RESULT.length)
    await lab.restart()
    expect(lab.service.room.bytes).toBe(RESULT.length)
    expect(await lab.outcome(id)).toEqual({ kind: "value", text: RESULT })
    lab.clock.advance(JOB_TTL_MS_DEFAULT)
    await empty(lab)
    expect(lab.service.room.bytes).toBe(0)
  })

  test("whose time is over while its result is read is read to the end", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ ttlMs: 1_000 }, { args: openArguments() })
    await finish(lab, await lab.called(1), id)
    const outcome = await lab.jobs.outcome(id, 0, new AbortController().signal)
    if (outcome === undefined || outcome.payload instanceof Uint8Array) throw new Error("not large")
    const { chunks } = outcome.payload
    const first = (await chunks.next()).value
    lab.clock.advance(1_000)
    await until(() => lab.store.entries.size === 0, "the job to be forgotten")
    await Bun.sleep(10)
    const rest = await Array.fromAsync(chunks)
    expect(Buffer.concat([first, ...rest]).toString()).toBe(RESULT)
    await empty(lab)
  })

  test("that is started twice at a time under one id is one", async () => {
    const lab = await JobLab.open()
    const [a, b] = [openArguments(), openArguments()]
    const started = await Promise.all([
      lab.start({ id: "one" }, { args: a }),
      lab.start({ id: "one" }, { args: b }),
    ])
    expect(started.map(({ id }) => id)).toEqual(["one", "one"])
    await until(() => lab.chunks.contents.size === 1, "one of the payloads to be gone")
    await finish(lab, await lab.called(1), "one")
    const late = openArguments()
    expect(await lab.start({ id: "one" }, { args: late })).toMatchObject({ state: "succeeded" })
    expect([late.reads(), lab.calls.length]).toEqual([0, 1])
  })

  test("is cancelled while it waits, while arguments leave, and while the result arrives; nothing is left", async () => {
    const lab = await JobLab.open()
    const ids = []
    for (let i = 0; i < 3; i++) {
      const delayMs = i === 0 ? 1_000 : 0
      ids.push((await lab.start({ delayMs }, { args: openArguments() })).id)
    }
    const [leaving, arriving] = [await lab.called(1), await lab.called(2)]
    lab.grant(leaving, 10)
    await until(() => lab.fed(leaving) !== "", "some of the arguments")
    await feed(lab, arriving)
    await sendResult(lab, arriving)
    for (const id of ids) expect(await lab.jobs.cancel(id)).toMatchObject({ state: "cancelled" })
    await empty(lab)
    expect(lab.env.link?.cancels).toHaveLength(2)
  })
})

describe("large arguments that cannot be stored", () => {
  test.each([
    ["break off", openArguments(ARGS, 20), "INVALID_ARGUMENT"],
    ["are more than they said", { ...openArguments(), total: 40 }, "PROTOCOL_ERROR"],
  ] as const)("because they %s make no job, and leave nothing", async (_why, args, code) => {
    const lab = await JobLab.open()
    expect(await caught(lab.start({}, { args }))).toMatchObject({ code, ran: "no" })
    expect([lab.jobs.list(undefined, 9), lab.store.written]).toEqual([[], []])
    await empty(lab)
  })

  test("because the store is full, or away, make no job, and leave nothing", async () => {
    const lab = await JobLab.open()
    lab.chunks.chunksLeft = 3
    const error = await caught(lab.start({}, { args: openArguments() }))
    expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    expect(error.message).toContain("the store is full")
    await empty(lab)
    lab.chunks.chunksLeft = Number.POSITIVE_INFINITY
    lab.chunks.isAway = true
    expect((await caught(lab.start({}, { args: openArguments() }))).code).toBe("UNAVAILABLE")
    lab.chunks.isAway = false
    expect(lab.jobs.list(undefined, 9)).toEqual([])
    await lab.start({}, { args: openArguments() })
    expect(lab.chunks.texts).toEqual([ARGS])
  })

  test("because there is no room for them are refused before they are read", async () => {
    const lab = await JobLab.open()
    lab.service.room.add(JOBS_BYTES_MAX - ARGS.length + 1)
    const args = openArguments()
    expect(await caught(lab.start({}, { args }))).toMatchObject({ code: "OVERLOADED", ran: "no" })
    expect(args.reads()).toBe(0)
    lab.service.room.add(-1)
    await lab.start({}, { args })
  })

  test("because the env takes less are refused before they are read", async () => {
    const lab = await JobLab.open()
    const args = { ...openArguments(), total: 64 * MIB + 1 }
    const error = await caught(lab.start({}, { args }))
    expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "no" })
    expect(args.reads()).toBe(0)
  })
})

describe("a large result that cannot be kept", () => {
  test("because the store is full fails the job, which says that it ran; the call is cancelled", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    const call = await lab.called(1)
    lab.chunks.chunksLeft = 2
    lab.sendPart(call, "", 0, RESULT.length)
    lab.sendPart(call, RESULT, 0, RESULT.length)
    await lab.ended(id)
    const { kind, text } = await lab.outcome(id)
    expect([kind, JSON.parse(text)]).toMatchObject(["failed", { code: "UNAVAILABLE", ran: "yes" }])
    expect(lab.env.link?.cancels).toHaveLength(1)
    await empty(lab)
  })

  test("because there is no room fails the job; a durable one tries again", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ durable: true, attempts: 2 })
    lab.service.room.add(JOBS_BYTES_MAX)
    lab.sendPart(await lab.called(1), "", 0, RESULT.length)
    expect((await lab.inState(id, "queued")).reason).toContain("OVERLOADED")
    lab.service.room.add(-JOBS_BYTES_MAX)
    lab.clock.advance(1_000)
    const call = await lab.called(2)
    await sendResult(lab, call)
    lab.replyBehindParts(call)
    expect(await lab.ended(id)).toMatchObject({ state: "succeeded", attempts: 2 })
  })

  test.each([
    [
      "parts do not follow each other",
      (lab: JobLab, call: SeenFrame) => lab.sendPart(call, "x", 5, 29),
    ],
    ["its end is missing", (lab: JobLab, call: SeenFrame) => lab.replyBehindParts(call)],
  ])("because %s fails the job", async (_why, say) => {
    const lab = await JobLab.open()
    const { id } = await lab.start()
    const call = await lab.called(1)
    lab.sendPart(call, "", 0, RESULT.length)
    lab.sendPart(call, RESULT.slice(0, 9), 0, RESULT.length)
    say(lab, call)
    await lab.ended(id)
    expect(JSON.parse((await lab.outcome(id)).text)).toMatchObject({ code: "PROTOCOL_ERROR" })
    await empty(lab)
  })
})

describe("large arguments that cannot be read", () => {
  test("because the store is away are no attempt: the job runs later", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({}, { args: openArguments() })
    const call = await lab.called(1)
    lab.chunks.isAway = true
    lab.grant(call, 100)
    expect(await lab.inState(id, "queued")).toMatchObject({ attempts: 0 })
    lab.chunks.isAway = false
    lab.clock.advance(1_000)
    await finish(lab, await lab.called(2), id)
    expect(lab.jobs.status(id)).toMatchObject({ state: "succeeded", attempts: 1 })
  })

  test("because they are damaged fail the job, and nothing runs", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({}, { args: openArguments() })
    for (const chunks of lab.chunks.contents.values()) chunks.pop()
    lab.grant(await lab.called(1), 100)
    await lab.ended(id)
    expect(JSON.parse((await lab.outcome(id)).text)).toMatchObject({ code: "INTERNAL", ran: "no" })
  })
})

describe("a schedule with large arguments", () => {
  const MINUTE = 60_000
  const record = {
    name: "ticker",
    cron: "* * * * *",
    env: "lab",
    function: "f",
    job: readJobOptions({}).plan,
    isJson: false,
  }

  test("gives each job its own, outlasts a restart, and takes them along", async () => {
    const lab = await JobLab.open()
    await lab.schedules.put(record, openArguments("older ones"))
    await lab.schedules.put(record, openArguments())
    await until(() => lab.chunks.texts.join("|") === ARGS, "the older ones to be gone")
    await lab.restart()
    lab.clock.advance(MINUTE)
    const call = await lab.called(1)
    expect(lab.chunks.texts).toEqual([ARGS, ARGS])
    await finish(lab, call, lab.jobs.list(undefined, 1)[0]?.id ?? "")
    await lab.schedules.remove("ticker")
    await until(() => lab.chunks.texts.join("|") === RESULT, "the result alone to be left")
    expect(lab.service.room.bytes).toBe(RESULT.length)
  })

  test("that break off change nothing", async () => {
    const lab = await JobLab.open()
    await lab.schedules.put(record, openArguments())
    expect((await caught(lab.schedules.put(record, openArguments("others", 3)))).code).toBe(
      "INVALID_ARGUMENT",
    )
    await until(() => lab.chunks.texts.join("|") === ARGS, "the first ones alone to be left")
  })
})
