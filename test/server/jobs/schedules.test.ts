import { describe, expect, test } from "bun:test"
import { readJobOptions } from "../../../protocol/job.ts"
import type { ScheduleRecord } from "../../../protocol/job-record.ts"
import { SCHEDULES_MAX } from "../../../protocol/limits.ts"
import { nextTick } from "../../../server/jobs/cron.ts"
import { caught } from "../../support/caught.ts"
import { JobLab } from "../../support/job-lab.ts"
import { until } from "../../support/until.ts"

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

function everyMinute(lab: JobLab, more: Partial<ScheduleRecord> & { args?: string } = {}) {
  const { args = "args", ...rest } = more
  const record: ScheduleRecord = {
    name: "ticker",
    cron: "* * * * *",
    env: "lab",
    function: "f",
    job: readJobOptions({}).plan,
    isJson: false,
    ...rest,
  }
  return lab.schedules.put(record, Buffer.from(args))
}

/** Moves the clock, and lets what became due reach the env. */
async function pass(lab: JobLab, ms: number, calls: number): Promise<void> {
  lab.clock.advance(ms)
  await until(() => lab.calls.length >= calls, `${calls} calls`)
  for (const call of lab.calls) lab.reply(call)
}

describe("a schedule", () => {
  test("starts a job with its arguments at each tick", async () => {
    const lab = await JobLab.open()
    expect(await everyMinute(lab)).toEqual({
      name: "ticker",
      cron: "* * * * *",
      env: "lab",
      function: "f",
      nextAt: "1970-01-01T00:01:00.000Z",
    })
    lab.clock.advance(MINUTE - lab.clock.now() - 1)
    expect(lab.calls).toEqual([])
    await pass(lab, 1, 1)
    await pass(lab, MINUTE, 2)
    expect(lab.calls.map(({ text }) => text)).toEqual(["args", "args"])
    const jobs = lab.jobs.list(undefined, 10)
    expect(jobs.map(({ schedule }) => schedule)).toEqual(["ticker", "ticker"])
    const [status] = lab.schedules.list()
    expect(status).toMatchObject({ lastJobId: jobs[0]?.id, nextAt: "1970-01-01T00:03:00.000Z" })
  })

  test("outlasts a restart; ticks that came in between are not made up for", async () => {
    const lab = await JobLab.open()
    await everyMinute(lab)
    await pass(lab, MINUTE, 1)
    lab.service.drain()
    lab.clock.advance(10 * MINUTE)
    await lab.restart()
    await Bun.sleep(10)
    expect(lab.calls).toEqual([])
    await pass(lab, MINUTE, 1)
    expect(lab.jobs.list(undefined, 10)).toHaveLength(2)
  })

  test("does not tick late: a machine that slept over a tick has missed it", async () => {
    const lab = await JobLab.open()
    await everyMinute(lab, { cron: "0 * * * *" })
    lab.clock.sleep(2 * HOUR + 90 * SECOND)
    await Bun.sleep(10)
    expect(lab.calls).toEqual([])
    await pass(lab, HOUR, 1)
    expect(lab.calls).toHaveLength(1)
  })

  test("of a name that is there replaces it, arguments and clock", async () => {
    const lab = await JobLab.open()
    await everyMinute(lab)
    await everyMinute(lab, { cron: "30 * * * * *", args: "others" })
    expect(lab.schedules.list()).toHaveLength(1)
    await pass(lab, MINUTE, 1)
    expect(lab.calls.map(({ text }) => text)).toEqual(["others"])
  })

  test("that was removed ticks no more, also after a restart", async () => {
    const lab = await JobLab.open()
    await everyMinute(lab)
    await lab.schedules.remove("ticker")
    expect((await caught(lab.schedules.remove("ticker"))).code).toBe("NOT_FOUND")
    await lab.restart()
    expect(lab.schedules.list()).toEqual([])
    lab.clock.advance(10 * MINUTE)
    await Bun.sleep(10)
    expect(lab.calls).toEqual([])
  })

  test("whose function is gone says so, and goes on when it is back", async () => {
    const lab = await JobLab.open()
    await everyMinute(lab)
    lab.env.functions.delete("f")
    lab.clock.advance(MINUTE)
    await until(() => lab.schedules.list()[0]?.lastError !== undefined, "the failed tick")
    expect(lab.schedules.list()[0]?.lastError).toContain("there is no f")
    lab.env.add("f", { index: 7 })
    await pass(lab, MINUTE, 1)
    await until(() => lab.schedules.list()[0]?.lastError === undefined, "the next tick")
  })

  test("is refused for what is no cron expression, time zone or function, and beyond the bound", async () => {
    const lab = await JobLab.open()
    for (const cron of ["", "x", "* * * *", "61 * * * *", "* * * * * * 2026", "0 0 30 2 *"]) {
      expect((await caught(everyMinute(lab, { cron }))).code).toBe("INVALID_ARGUMENT")
    }
    expect((await caught(everyMinute(lab, { timeZone: "Mars/Base" }))).code).toBe(
      "INVALID_ARGUMENT",
    )
    expect((await caught(everyMinute(lab, { function: "g" }))).code).toBe("NOT_FOUND")
    for (let i = 0; i < SCHEDULES_MAX; i++) await everyMinute(lab, { name: `s${i}` })
    expect((await caught(everyMinute(lab))).code).toBe("OVERLOADED")
    expect(await everyMinute(lab, { name: "s0" })).toMatchObject({ name: "s0" })
  })
})

describe("nextTick()", () => {
  test("is after the given time, never at it", () => {
    expect(nextTick("0 3 * * *", "UTC", Date.parse("2026-01-01T03:00:00Z"))).toBe(
      Date.parse("2026-01-02T03:00:00Z"),
    )
    expect(nextTick("0 3 * * *", "UTC", Date.parse("2026-01-01T02:59:59.999Z"))).toBe(
      Date.parse("2026-01-01T03:00:00Z"),
    )
  })

  test("goes by the time zone", () => {
    expect(nextTick("0 3 * * *", "Europe/Berlin", Date.parse("2026-07-01T00:00:00Z"))).toBe(
      Date.parse("2026-07-01T01:00:00Z"),
    )
  })

  test("is undefined for a day that never comes", () => {
    expect(nextTick("0 0 30 2 *", "UTC", Date.parse("2026-01-01T00:00:00Z"))).toBeUndefined()
  })
})
