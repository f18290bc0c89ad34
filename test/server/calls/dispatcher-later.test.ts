import { beforeEach, describe, expect, test } from "bun:test"
import { BunhouseError } from "../../../protocol/errors.ts"
import { FrameFlag, FrameType } from "../../../protocol/frame.ts"
import { RESULT_STREAM, writeCredit } from "../../../protocol/streams/credit.ts"
import { FrameWriter } from "../../../protocol/frame.ts"
import type { Call } from "../../../server/calls/call.ts"
import { forward } from "../../../server/calls/flow.ts"
import { FakeLink } from "../../support/fake-env.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { Lab } from "../../support/lab.ts"

let lab: Lab
let link: FakeLink
beforeEach(() => {
  lab = new Lab()
  link = lab.env.link ?? new FakeLink()
})

/** Makes a call with arguments that are results of others; `id` is the caller's. */
function submit(id: number, { timeoutMs = 0, to = lab.route } = {}): Call {
  return lab.submit(id, { flags: FrameFlag.later, timeoutMs, to })
}

/** The process has the results. */
function ready({ id }: Call, at = link): void {
  lab.dispatcher.replies(at, standingOn(batchOf(FrameType.ready, { id })))
}

/** Ids of calls that a process was told to run. */
const told = (at = link) => at.received(FrameType.ready).map(({ id }) => id)

describe("a call whose arguments are results of others", () => {
  test("goes to its process at once and takes no place before that has them (C5)", () => {
    const [first, second, third] = [submit(1), submit(2), submit(3)]
    expect(link.calls).toHaveLength(3)
    expect(lab.env.lanes.loop.running).toBe(0)
    expect(lab.env.backlog.calls).toBe(3)
    for (const call of [first, second, third]) ready(call)
    expect(told()).toEqual([first.id, second.id])
    expect(lab.env.lanes.loop.running).toBe(2)
    lab.env.reply(lab.dispatcher, first.id, "one")
    expect(told()).toEqual([first.id, second.id, third.id])
    for (const { id } of [second, third]) lab.env.reply(lab.dispatcher, id)
    expect(lab.caller.endOf(1)).toEqual({ kind: "value", text: "one" })
    lab.expectIdle()
  })

  test("leaves its places to the calls that it waits for", () => {
    lab.env.lanes.loop.limit = 1
    const [outer, inner] = [submit(1), lab.submit(2)]
    expect(link.calls.map(({ id }) => id)).toEqual([outer.id, inner.id])
    ready(outer)
    expect(told()).toEqual([])
    lab.env.reply(lab.dispatcher, inner.id)
    expect(told()).toEqual([outer.id])
  })

  test("has what is left of its time when it is told to run", () => {
    const call = submit(1, { timeoutMs: 60_000 })
    ready(call)
    expect(link.received(FrameType.ready)[0]?.timeoutMs).toBeGreaterThan(0)
  })

  test("waits for its function first, and then for a place like any other", () => {
    const cold = lab.env.add("cold")
    const [call] = [submit(1, { to: cold }), lab.submit(2), lab.submit(3)]
    expect(link.calls).toHaveLength(2)
    lab.dispatcher.loaded(cold, 9)
    expect(link.calls).toHaveLength(2)
    lab.env.reply(lab.dispatcher, link.calls[0]?.id ?? 0)
    expect(link.calls.at(-1)).toMatchObject({ id: call.id, target: 9 })
    expect(lab.env.lanes.loop.running).toBe(1)
  })

  test("that fails before it is ready has left nothing", () => {
    const call = submit(1)
    lab.dispatcher.replies(link, standingOn(batchOf(FrameType.error, { id: call.id, flags: 4 })))
    expect(lab.caller.endOf(1)?.kind).toBe("thrown")
    lab.expectIdle()
  })

  test("counts as one that waits: too many are refused", () => {
    lab.env.spec.queue = 2
    submit(1)
    submit(2)
    expect(lab.refused(3, { flags: FrameFlag.later }).code).toBe("OVERLOADED")
    lab.submit(4)
  })

  test("says that something may have run, wherever it stands when it ends (C5)", () => {
    const [preparing, waiting] = [
      submit(1, { timeoutMs: 50 }),
      submit(2, { timeoutMs: 50 }),
      lab.submit(3),
      lab.submit(4),
    ]
    ready(waiting)
    lab.clock.advance(100)
    for (const id of [1, 2]) {
      const error = lab.caller.errorOf(id)
      expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe" })
      expect(error.message).toContain("before the call was started")
    }
    expect(link.cancels).toEqual([preparing.id, waiting.id])
    for (const { id } of link.calls) lab.env.reply(lab.dispatcher, id)
    lab.expectIdle()
  })

  test.each([
    ["removed", () => lab.dispatcher.removed(lab.route, new BunhouseError("NOT_FOUND", "gone"))],
    ["refused", () => lab.dispatcher.envRefused(lab.env, new BunhouseError("ENV_FAILED", "bad"))],
  ])("that waits for a place when its function is %s is told, and so is its process", (_, end) => {
    const [running, other, call] = [lab.submit(1), lab.submit(2), submit(3)]
    ready(call)
    end()
    expect(lab.caller.errorOf(3).ran).toBe("maybe")
    expect(link.cancels).toEqual([call.id])
    for (const { id } of [running, other, call]) lab.env.reply(lab.dispatcher, id)
    lab.expectIdle()
  })

  test("is lost with its process, ready or not", () => {
    const [first] = [submit(1), submit(2), lab.submit(3), lab.submit(4)]
    ready(first)
    lab.env.lose(lab.dispatcher)
    for (const id of [1, 2]) {
      expect(lab.caller.errorOf(id)).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    }
    lab.expectIdle()
  })

  test("stays with a process that was replaced, whatever becomes of the next one (C4)", () => {
    const [call] = [submit(1), lab.submit(2), lab.submit(3)]
    const next = new FakeLink()
    lab.env.link = next
    ready(call)
    lab.env.lose(lab.dispatcher, new FakeLink())
    expect(lab.caller.endOf(1)).toBeUndefined()
    for (const { id } of link.calls.slice(1)) lab.env.reply(lab.dispatcher, id, "ok", link)
    expect(told()).toEqual([call.id])
    expect(told(next)).toEqual([])
  })

  test("hears what is granted of its result, before it runs and after (X1)", () => {
    const call = submit(1)
    const writer = new FrameWriter()
    writeCredit(writer, 1, RESULT_STREAM, { items: 3, bytes: 4 })
    forward(call, standingOn(writer.take()))
    expect(link.received(FrameType.credit)).toMatchObject([{ id: call.id, target: 3 }])
  })

  test("is ready once: what a process says again, or of another call, changes nothing", () => {
    const [call, other] = [submit(1), lab.submit(2)]
    ready(call)
    ready(call)
    ready(other)
    ready(call, new FakeLink())
    expect(told()).toEqual([call.id])
    expect(lab.env.lanes.loop.running).toBe(2)
  })
})
