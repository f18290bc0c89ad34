import { describe, expect, test } from "bun:test"
import { caught } from "../../support/caught.ts"
import type { SeenFrame } from "../../support/frames.ts"
import { JobLab } from "../../support/job-lab.ts"
import { ARGS, feed, finish, openArguments, RESULT, sendResult } from "../../support/large-jobs.ts"
import { until } from "../../support/until.ts"

/** Nothing else is left of the large payloads. */
async function leaves(lab: JobLab, texts: readonly string[]): Promise<void> {
  const all = texts.join("|")
  await until(() => lab.chunks.texts.join("|") === all, "what belongs to no job to be gone")
}

describe("a daemon that dies", () => {
  test("while arguments arrive leaves no job, and what it wrote is removed", async () => {
    const lab = await JobLab.open()
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const body = openArguments().body
    const stalled = { ...openArguments(), body: { ...body, read: () => promise } }
    lab.chunks.chunkBytesMax = 100_000
    // Enough for the first chunks.
    const first = Buffer.alloc(600_000, "x")
    const started = caught(lab.start({}, { args: { ...stalled, total: 2 * first.length, first } }))
    await until(() => lab.chunks.contents.size === 1, "the first chunks")
    await lab.restart()
    expect(lab.jobs.list(undefined, 9)).toEqual([])
    await leaves(lab, [])
    resolve(undefined)
    await started
  })

  for (const durable of [false, true]) {
    const kind = durable ? "a durable" : "an ordinary"
    const expected = durable ? { state: "queued", attempts: 1 } : { state: "failed", attempts: 1 }

    test(`before ${kind} job runs leaves its arguments, and it runs`, async () => {
      const lab = await JobLab.open()
      const { id } = await lab.start({ durable, delayMs: 1_000 }, { args: openArguments() })
      await lab.restart()
      lab.clock.advance(1_000)
      await finish(lab, await lab.called(1), id)
      expect(await lab.outcome(id)).toEqual({ kind: "value", text: RESULT })
    })

    test.each([
      ["its arguments leave", async (lab: JobLab, call: SeenFrame) => lab.grant(call, 10)],
      [
        "its result arrives",
        async (lab: JobLab, call: SeenFrame) => {
          await feed(lab, call)
          lab.sendPart(call, "", 0, RESULT.length)
          lab.sendPart(call, RESULT.slice(0, 9), 0, RESULT.length)
          await until(() => lab.chunks.contents.size === 2, "some of the result")
        },
      ],
      [
        "its end is written",
        async (lab: JobLab, call: SeenFrame) => {
          await feed(lab, call)
          lab.store.writesLeft = 0
          await sendResult(lab, call)
          lab.replyBehindParts(call)
          await until(() => lab.store.writesLeft < 0, "the last write")
        },
      ],
    ])(
      `while %s leaves the truth about ${kind} job, and nothing else`,
      async (_when, meanwhile) => {
        const lab = await JobLab.open()
        const { id } = await lab.start({ durable }, { args: openArguments() })
        await meanwhile(lab, await lab.called(1))
        await lab.restart()
        expect(lab.jobs.status(id)).toMatchObject(expected)
        await leaves(lab, durable ? [ARGS] : [])
        lab.clock.advance(1_000)
        if (durable) await finish(lab, await lab.called(1), id)
        expect(lab.calls).toHaveLength(durable ? 1 : 0)
      },
    )
  }

  test("removes nothing when a record could not be read: it may name what is there", async () => {
    const lab = await JobLab.open()
    const { id } = await lab.start({ delayMs: 1_000 }, { args: openArguments() })
    const key = `job.${id}.record`
    const head = lab.store.entries.get(key)?.head ?? {}
    await lab.store.put(key, { ...head, ttlMs: "long" }, new Uint8Array(0))
    await lab.restart()
    await lab.start({}, { args: openArguments("others, just as large") })
    expect(lab.chunks.texts).toContain(ARGS)
    // The same when the store itself has left one out.
    lab.store.entries.delete(key)
    lab.isWhole = false
    await lab.restart()
    await lab.start({}, { args: openArguments("yet others, just as large") })
    expect(lab.chunks.texts).toContain(ARGS)
    lab.isWhole = true
    await lab.restart()
    await until(() => !lab.chunks.texts.includes(ARGS), "what no record names to be gone")
  })
})
