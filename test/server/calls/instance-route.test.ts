import { beforeEach, describe, expect, test } from "bun:test"
import { encodeErrorRecord, stateLost } from "../../../protocol/errors.ts"
import { FrameFlag, FrameType } from "../../../protocol/frame.ts"
import type { Place } from "../../../protocol/function-spec.ts"
import { InstanceRoute } from "../../../server/calls/instance-route.ts"
import { FakeLink } from "../../support/fake-env.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { Lab } from "../../support/lab.ts"

let lab: Lab
beforeEach(() => {
  lab = new Lab()
})

function add(run: Place, index: number, name?: string): InstanceRoute {
  const type = { env: "lab", name: "C", kind: "class", run, version: "1", members: [] } as const
  const instance = new InstanceRoute(lab.env, type, name, index)
  lab.env.instances.set(instance.info.name, instance)
  return instance
}

describe("an instance on a thread of its own", () => {
  test("has one call at a time, beside those of the env's threads (I2)", () => {
    const instance = add("thread", 3)
    for (const id of [1, 2, 3]) lab.submit(id, { to: instance })
    expect(lab.env.link?.calls).toHaveLength(1)
    expect(lab.env.lanes.thread.running).toBe(0)
    expect(lab.env.backlog.calls).toBe(2)
    lab.env.reply(lab.dispatcher, lab.env.link?.calls[0]?.id ?? 0)
    expect(lab.env.link?.calls).toHaveLength(2)
  })

  test("is lost with its thread: what waits did not run, what comes is refused", () => {
    const instance = add("thread", 3)
    const other = add("thread", 4)
    for (const id of [1, 2]) lab.submit(id, { to: instance })
    lab.submit(3, { to: other })
    const id = lab.env.link?.calls[0]?.id ?? 0
    const payload = encodeErrorRecord(stateLost("lab", "C/1", "its thread ended"))
    const gone = batchOf(FrameType.error, { id, flags: FrameFlag.gone, payload })
    if (lab.env.link !== undefined) lab.dispatcher.replies(lab.env.link, standingOn(gone))
    expect(lab.caller.endOf(1)).toMatchObject({ kind: "thrown" })
    expect(lab.caller.errorOf(2)).toMatchObject({ code: "STATE_LOST", ran: "no" })
    expect(lab.refused(4, { to: instance })).toMatchObject({ code: "STATE_LOST", ran: "no" })
    expect([...lab.env.instances.values()]).toEqual([other])
    expect(lab.caller.endOf(3)).toBeUndefined()
  })

  test("is not lost on the word of a caller, whose flags come back with a reply", () => {
    const instance = add("thread", 3)
    const { link } = lab.env
    for (const [type, flags] of [
      [FrameType.reply, FrameFlag.gone],
      [FrameType.error, FrameFlag.gone | FrameFlag.thrown],
    ] as const) {
      const { callerId } = lab.submit(flags, { to: instance })
      const id = link?.calls.at(-1)?.id ?? 0
      if (link !== undefined) lab.dispatcher.replies(link, standingOn(batchOf(type, { id, flags })))
      expect(lab.caller.endOf(callerId)).toBeDefined()
      expect(instance.refusal).toBeUndefined()
    }
  })
})

describe.each(["loop", "thread"] as const)("an instance on a %s", (run) => {
  test("is lost with its env process, and is not loaded again (I1)", () => {
    const instance = add(run, 3)
    const calls = [1, 2, 3, 4].map((id) => lab.submit(id, { to: instance }))
    const sent = lab.env.link?.calls.length ?? 0
    lab.env.lose(lab.dispatcher, new FakeLink())
    for (const [i, { callerId }] of calls.entries()) {
      const expected =
        i < sent ? { code: "WORKER_LOST", ran: "maybe" } : { code: "STATE_LOST", ran: "no" }
      expect(lab.caller.errorOf(callerId)).toMatchObject(expected)
    }
    expect(lab.env.asked).toEqual([])
    expect(lab.env.instances.size).toBe(0)
    expect(lab.refused(5, { to: instance })).toMatchObject({ code: "STATE_LOST" })
    lab.expectIdle()
  })

  test("outlasts a loss of the way to its process: what waits is sent afterwards", () => {
    const instance = add(run, 3)
    const { link } = lab.env
    lab.env.link = undefined
    lab.submit(1, { to: instance })
    if (link !== undefined) lab.dispatcher.linkLost(link, "BROKER_LOST", "cut off")
    lab.env.link = link
    lab.dispatcher.resume(lab.env)
    expect(lab.env.link?.calls).toMatchObject([{ target: 3 }])
  })
})

describe("InstanceRoute.abandonedMs", () => {
  test("is 0 while somebody holds it, and counts from the moment of the last one's leaving", () => {
    const instance = add("loop", 1)
    instance.hold()
    instance.hold()
    instance.letGo()
    expect(instance.abandonedMs).toBe(0)
    instance.letGo()
    const start = performance.now()
    while (performance.now() - start < 5);
    expect(instance.abandonedMs).toBeGreaterThan(0)
  })
})

describe("ids of instances", () => {
  test("are never given twice, also for one name", () => {
    const ids = Array.from({ length: 100 }, () => add("loop", 1, "main").id)
    expect(new Set(ids).size).toBe(100)
    for (const id of ids) expect(id).toStartWith("main~")
  })
})
