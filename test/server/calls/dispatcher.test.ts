import { beforeEach, describe, expect, test } from "bun:test"
import { FrameType } from "../../../protocol/frame.ts"
import { Dispatcher } from "../../../server/calls/dispatcher.ts"
import { FakeLink } from "../../support/fake-env.ts"
import { batchOf, joined, standingOn } from "../../support/frames.ts"
import { Lab } from "../../support/lab.ts"

let lab: Lab
beforeEach(() => {
  lab = new Lab()
})

describe("a call", () => {
  test("goes to the env as it came, under an id, a target and a serial of the daemon's own", () => {
    const call = lab.submit(41, { timeoutMs: 500 })
    const [sent] = lab.env.link?.calls ?? []
    expect(sent).toMatchObject({ id: call.id, target: 7, timeoutMs: 500, text: "args" })
    expect(sent?.serial).toBe(call.serial)
    lab.env.reply(lab.dispatcher, call.id, "value")
    expect(lab.caller.endOf(41)).toEqual({ kind: "value", text: "value" })
    expect(call.timedList).toBeUndefined() // its deadline keeps nothing of it
    lab.expectIdle()
  })

  test("that waits has a copy of what it came as, because its connection uses the bytes again", () => {
    lab.submit(1)
    const running = lab.submit(2)
    const batch = batchOf(FrameType.call, { id: 3, payload: "mine" })
    lab.dispatcher.submit(lab.caller, standingOn(batch), lab.route)
    batch.fill(0)
    lab.env.reply(lab.dispatcher, running.id)
    expect(lab.env.link?.calls.at(-1)?.text).toBe("mine")
  })

  test("may print before it ends, and not after", () => {
    const call = lab.submit(1)
    const { link } = lab.env
    if (link === undefined) throw new Error("no link")
    const print = (text: string, at = link) => {
      const batch = batchOf(FrameType.log, { id: call.id, payload: text })
      lab.dispatcher.replies(at, standingOn(batch))
    }
    print("first")
    print("of a process that is gone", new FakeLink())
    lab.env.reply(lab.dispatcher, call.id, "value")
    print("late")
    expect(lab.caller.logged).toEqual(["first"])
    expect(lab.caller.endOf(1)).toEqual({ kind: "value", text: "value" })
    lab.expectIdle()
  })

  test("waits for a place, and takes the one that comes free (P1)", () => {
    const [first] = [lab.submit(1), lab.submit(2), lab.submit(3)]
    expect(lab.env.link?.calls).toHaveLength(2)
    expect(lab.env.backlog.calls).toBe(1)
    lab.env.reply(lab.dispatcher, first?.id ?? 0)
    expect(lab.env.link?.calls).toHaveLength(3)
    expect(lab.env.lanes.loop.running).toBe(2)
    expect(lab.env.backlog).toEqual({ calls: 0, bytes: 0 })
  })

  test("waits for its function to be loaded, and goes out when it is", () => {
    const cold = lab.env.add("cold")
    lab.submit(1, { to: cold })
    expect(lab.env.asked).toEqual([cold])
    expect(lab.env.link?.calls).toHaveLength(0)
    lab.dispatcher.loaded(cold, 9)
    expect(lab.env.link?.calls).toMatchObject([{ target: 9 }])
  })

  test("waits while the env cannot be reached, and goes out when it can", () => {
    const { link } = lab.env
    lab.env.link = undefined
    lab.submit(1)
    lab.dispatcher.resume(lab.env)
    expect(lab.env.backlog.calls).toBe(1)
    lab.env.link = link
    lab.dispatcher.resume(lab.env)
    expect(link?.calls).toHaveLength(1)
  })

  test("that waits takes a place that a larger limit gives", () => {
    for (const id of [1, 2, 3, 4]) lab.submit(id)
    lab.env.lanes.loop.limit = 3
    lab.dispatcher.resume(lab.env)
    expect(lab.env.link?.calls).toHaveLength(3)
    expect(lab.env.backlog.calls).toBe(1)
  })
})

describe("a reply", () => {
  test("counts once: the second one for a call finds nothing (C1)", () => {
    const call = lab.submit(1)
    lab.env.reply(lab.dispatcher, call.id, "first")
    lab.env.reply(lab.dispatcher, call.id, "second")
    expect(lab.caller.endOf(1)).toEqual({ kind: "value", text: "first" })
    lab.expectIdle()
  })

  test("for an id that was given again does not end the later call", () => {
    const first = lab.submit(1)
    lab.env.reply(lab.dispatcher, first.id)
    const second = lab.submit(2)
    lab.env.reply(lab.dispatcher, first.id, "late")
    expect(lab.caller.endOf(2)).toBeUndefined()
    lab.env.reply(lab.dispatcher, second.id, "right")
    expect(lab.caller.endOf(2)).toEqual({ kind: "value", text: "right" })
  })

  test("for a call that still waits is a lie and changes nothing (P1)", () => {
    lab.submit(1)
    lab.submit(2)
    const waiting = lab.submit(3)
    lab.env.reply(lab.dispatcher, waiting.id, "lie")
    expect(lab.caller.endOf(3)).toBeUndefined()
    expect(lab.env.backlog.calls).toBe(1)
    expect(lab.dispatcher.callsInFlight).toBe(3)
  })

  test("of an env process that the call was not sent to is passed over (C4)", () => {
    const call = lab.submit(1)
    lab.env.reply(lab.dispatcher, call.id, "stranger", new FakeLink())
    expect(lab.caller.endOf(1)).toBeUndefined()
  })

  test("of a process that was replaced ends its call; what comes meanwhile goes to the new one (C4)", () => {
    const old = lab.env.link ?? new FakeLink()
    const [first, second] = [lab.submit(1), lab.submit(2)]
    lab.submit(3)
    const next = (lab.env.link = new FakeLink())
    lab.env.reply(lab.dispatcher, first.id, "from the new one")
    expect(lab.caller.endOf(1)).toBeUndefined()
    lab.env.reply(lab.dispatcher, first.id, "from the old one", old)
    expect(lab.caller.endOf(1)).toEqual({ kind: "value", text: "from the old one" })
    expect([old.calls.length, next.calls.length]).toEqual([2, 1])
    expect(lab.env.finishedLinks).toEqual([])
    lab.dispatcher.cancel(second)
    expect([old.cancels, next.cancels]).toEqual([[second.id], []])
    // Nobody waits for the cancelled one, though its place is free only when the process says so.
    expect(lab.env.finishedLinks).toEqual([old])
    expect(lab.env.lanes.loop.running).toBe(2)
    lab.dispatcher.linkLost(old, "WORKER_LOST", "ended")
    expect(lab.env.lanes.loop.running).toBe(1)
  })

  test("is only what is one: frames of other types end no call", () => {
    const call = lab.submit(1)
    const link = lab.env.link ?? new FakeLink()
    for (const type of [FrameType.hello, FrameType.bind, FrameType.call, FrameType.cancel]) {
      lab.dispatcher.replies(link, standingOn(batchOf(type, { id: call.id })))
    }
    expect(lab.caller.endOf(1)).toBeUndefined()
    expect(lab.dispatcher.callsInFlight).toBe(1)
  })

  test("among others of one batch reaches its own caller", () => {
    const calls = [lab.submit(1), lab.submit(2)]
    const batch = joined(
      batchOf(FrameType.error, { id: calls[1]?.id ?? 0, payload: "thrown" }),
      batchOf(FrameType.reply, { id: 0xdead, payload: "nobody's" }),
      batchOf(FrameType.reply, { id: calls[0]?.id ?? 0, payload: "one" }),
    )
    lab.dispatcher.replies(lab.env.link ?? new FakeLink(), standingOn(batch))
    expect(lab.caller.endOf(1)).toEqual({ kind: "value", text: "one" })
    expect(lab.caller.endOf(2)).toEqual({ kind: "thrown", text: "thrown" })
    lab.expectIdle()
  })
})

describe("a deadline", () => {
  test('ends a call that waits with ran "no", and the call never reaches the env (C2)', () => {
    const running = [lab.submit(1), lab.submit(2)]
    lab.submit(3, { timeoutMs: 100 })
    lab.clock.advance(150)
    expect(lab.caller.errorOf(3)).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      ran: "no",
      env: "lab",
    })
    expect(lab.env.backlog).toEqual({ calls: 0, bytes: 0 })
    for (const { id } of running) lab.env.reply(lab.dispatcher, id)
    expect(lab.env.link?.calls).toHaveLength(2)
    lab.expectIdle()
  })

  test('ends a call that runs with ran "maybe" and keeps its place until the env is done (C3)', () => {
    const call = lab.submit(1, { timeoutMs: 100 })
    lab.clock.advance(150)
    expect(lab.caller.errorOf(1)).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe" })
    expect(lab.caller.errorOf(1).callId).toBe(`boot-${call.serial.toString(36)}`)
    expect(lab.env.link?.cancels).toEqual([call.id])
    expect(lab.env.lanes.loop.running).toBe(1)
    lab.env.reply(lab.dispatcher, call.id)
    expect(lab.caller.heard.get(1)).toHaveLength(1)
    lab.expectIdle()
  })

  test("is passed on as what is left of it", () => {
    lab.dispatcher = new Dispatcher("boot") // by the real clock
    lab.submit(1)
    lab.submit(2)
    lab.submit(3, { timeoutMs: 60_000 })
    const [first] = lab.env.link?.calls ?? []
    lab.env.reply(lab.dispatcher, first?.id ?? 0)
    expect(lab.env.link?.calls.at(-1)?.timeoutMs).toBeLessThanOrEqual(60_000)
    expect(lab.env.link?.calls.at(-1)?.timeoutMs).toBeGreaterThan(0)
  })
})

describe("a cancelled call", () => {
  test("that waits is gone, and never reaches the env", () => {
    lab.submit(1)
    lab.submit(2)
    lab.dispatcher.cancel(lab.submit(3))
    expect(lab.env.backlog).toEqual({ calls: 0, bytes: 0 })
    expect(lab.dispatcher.callsInFlight).toBe(2)
    expect(lab.caller.heard.size).toBe(0)
  })

  test("that runs keeps its place until the env is done; cancelling again changes nothing (C3)", () => {
    const call = lab.submit(1)
    lab.dispatcher.cancel(call)
    lab.dispatcher.cancel(call)
    expect(lab.env.link?.cancels).toEqual([call.id])
    expect(lab.env.lanes.loop.running).toBe(1)
    lab.env.reply(lab.dispatcher, call.id)
    lab.dispatcher.cancel(call)
    expect(lab.caller.heard.size).toBe(0)
    lab.expectIdle()
  })
})
