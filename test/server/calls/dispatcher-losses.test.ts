import { beforeEach, describe, expect, test } from "bun:test"
import { BunhouseError } from "../../../protocol/errors.ts"
import { FrameType } from "../../../protocol/frame.ts"
import { PAYLOAD_BYTES_MAX } from "../../../protocol/limits.ts"
import { FakeEnv, FakeLink } from "../../support/fake-env.ts"
import { batchOf, joined } from "../../support/frames.ts"
import { Lab } from "../../support/lab.ts"

let lab: Lab
beforeEach(() => {
  lab = new Lab()
})

describe("the loss of an env process", () => {
  test("ends what it had at once, and keeps what it had not for the next one (P2)", () => {
    const abandoned = lab.submit(1)
    lab.submit(2)
    lab.submit(3)
    lab.dispatcher.cancel(abandoned)
    const next = new FakeLink()
    lab.env.lose(lab.dispatcher, next)
    expect(lab.caller.heard.has(1)).toBe(false)
    expect(lab.caller.errorOf(2)).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    expect(lab.caller.endOf(3)).toBeUndefined()
    expect(lab.env.lanes.loop.running).toBe(0)
    expect(lab.env.asked).toEqual([lab.route])
    lab.dispatcher.loaded(lab.route, 8)
    expect(next.calls).toMatchObject([{ target: 8, text: "args" }])
  })

  test("does not touch another env", () => {
    const other = new FakeEnv()
    const elsewhere = other.add("g", { index: 1 })
    lab.submit(1, { to: elsewhere })
    lab.env.lose(lab.dispatcher)
    expect(lab.caller.endOf(1)).toBeUndefined()
    expect(other.lanes.loop.running).toBe(1)
  })

  test("to which the way was cut off ends what was sent, not what is sent right after", () => {
    for (const id of [1, 2, 3]) lab.submit(id)
    const link = lab.env.link ?? new FakeLink()
    lab.env.link = undefined
    lab.dispatcher.linkLost(link, "BROKER_LOST", "cut off")
    lab.env.link = link
    lab.dispatcher.resume(lab.env)
    expect(lab.caller.errorOf(1)).toMatchObject({ code: "BROKER_LOST", ran: "maybe" })
    expect(lab.caller.errorOf(2)).toMatchObject({ code: "BROKER_LOST", ran: "maybe" })
    expect(lab.caller.endOf(3)).toBeUndefined()
    expect(link.calls).toHaveLength(3)
    expect(lab.env.lanes.loop.running).toBe(1)
  })
})

describe("the loss of the broker", () => {
  test("ends what was sent at once and keeps what waits (P2)", () => {
    for (const id of [1, 2, 3]) lab.submit(id)
    const { link } = lab.env
    lab.env.link = undefined
    lab.dispatcher.brokerLost()
    expect(lab.caller.errorOf(1)).toMatchObject({ code: "BROKER_LOST", ran: "maybe" })
    expect(lab.caller.endOf(3)).toBeUndefined()
    lab.env.link = link
    lab.dispatcher.brokerBack()
    lab.dispatcher.resume(lab.env)
    expect(link?.calls).toHaveLength(3)
  })

  test("for too long refuses what waits and what comes, until it is back", () => {
    const { link } = lab.env
    lab.env.link = undefined
    lab.dispatcher.brokerLost()
    lab.submit(1)
    const away = new BunhouseError("BROKER_LOST", "away", { retryAfterMs: 9 })
    lab.dispatcher.brokerStaysAway(away)
    expect(lab.caller.errorOf(1)).toMatchObject({ code: "BROKER_LOST", ran: "no", retryAfterMs: 9 })
    expect(lab.refused(2)).toMatchObject({ code: "BROKER_LOST", ran: "no", message: "away" })
    lab.env.link = link
    lab.dispatcher.brokerBack()
    lab.submit(3)
    expect(link?.calls).toHaveLength(1)
  })

  test("does not end the refusal of a daemon that stops", () => {
    const stopping = new BunhouseError("UNAVAILABLE", "stopping")
    lab.dispatcher.refuseAll(stopping)
    lab.dispatcher.brokerLost()
    lab.dispatcher.brokerStaysAway(new BunhouseError("UNAVAILABLE", "away"))
    lab.dispatcher.brokerBack()
    expect(lab.refused(1)).toBe(stopping)
  })
})

describe("a batch that the broker does not take", () => {
  test('ends its calls with ran "no" and frees their places', () => {
    const calls = [lab.submit(1), lab.submit(2)]
    const batch = joined(...calls.map(({ id }) => batchOf(FrameType.call, { id })))
    lab.dispatcher.unsent(batch, new BunhouseError("PAYLOAD_TOO_LARGE", "too much for this broker"))
    for (const id of [1, 2]) {
      expect(lab.caller.errorOf(id)).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "no" })
    }
    lab.expectIdle()
  })

  test("ends no call by the cancels in it", () => {
    const call = lab.submit(1)
    lab.dispatcher.unsent(
      batchOf(FrameType.cancel, { id: call.id }),
      new BunhouseError("INTERNAL", ""),
    )
    expect(lab.caller.endOf(1)).toBeUndefined()
  })
})

describe("a function", () => {
  test('that cannot be loaded ends what waits for it with ran "no", whatever the error says', () => {
    const cold = lab.env.add("cold")
    lab.submit(1, { to: cold })
    lab.dispatcher.loadFailed(cold, new BunhouseError("BROKER_LOST", "lost while loading"))
    expect(lab.caller.errorOf(1)).toMatchObject({ code: "BROKER_LOST", ran: "no" })
    lab.expectIdle()
  })

  test("that is deleted takes what waits for it along, and nothing of another one", () => {
    const other = lab.env.add("other", { index: 8 })
    const running = lab.submit(1)
    lab.submit(2, { to: other })
    lab.submit(3)
    lab.submit(4, { to: other })
    lab.dispatcher.removed(lab.route, new BunhouseError("NOT_FOUND", "deleted"))
    expect(lab.caller.errorOf(3)).toMatchObject({ code: "NOT_FOUND", ran: "no" })
    expect([1, 2, 4].map((id) => lab.caller.endOf(id))).toEqual([undefined, undefined, undefined])
    lab.env.reply(lab.dispatcher, running.id, "done")
    expect(lab.caller.endOf(1)).toEqual({ kind: "value", text: "done" })
  })
})

describe("an env", () => {
  test("that is refused ends everything that waits in it, also for functions that were deleted", () => {
    const cold = lab.env.add("cold")
    const blocking = lab.env.add("blocking", { run: "thread", index: 3 })
    for (const id of [1, 2, 3]) lab.submit(id)
    lab.submit(4, { to: cold })
    for (const id of [5, 6]) lab.submit(id, { to: blocking })
    lab.env.functions.delete("f")
    lab.dispatcher.envRefused(lab.env, new BunhouseError("ENV_FAILED", "failed"))
    for (const id of [3, 4, 6]) expect(lab.caller.errorOf(id)).toMatchObject({ code: "ENV_FAILED" })
    expect(lab.env.backlog).toEqual({ calls: 0, bytes: 0 })
  })

  test("that has enough waiting refuses more, counted over all its functions, and says when to come back", () => {
    lab.env.spec.queue = 2
    const cold = lab.env.add("cold")
    for (const id of [1, 2, 3]) lab.submit(id)
    lab.submit(4, { to: cold })
    expect(lab.refused(5)).toMatchObject({ code: "OVERLOADED", ran: "no", retryAfterMs: 100 })
    expect(lab.refused(6, { to: lab.env.add("third") })).toMatchObject({ code: "OVERLOADED" })
  })

  test("with a free place takes a call even when nothing may wait", () => {
    lab.env.spec.queue = 0
    lab.submit(1)
    lab.submit(2)
    expect(lab.refused(3)).toMatchObject({ code: "OVERLOADED" })
  })

  test("does not get a call that no client may send", () => {
    const error = lab.refused(1, { payload: "x".repeat(PAYLOAD_BYTES_MAX + 5_000) })
    expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "no" })
    expect(error.message).toContain(String(PAYLOAD_BYTES_MAX))
    lab.expectIdle()
  })
})

describe("a daemon that stops", () => {
  test("refuses what comes, and is drained when nobody waits for a call any more", async () => {
    const [abandoned, first, second] = [lab.submit(0), lab.submit(1), lab.submit(2)]
    lab.dispatcher.cancel(abandoned ?? lab.submit(9))
    let isDrained = false
    void lab.dispatcher.drained.then(() => (isDrained = true))
    lab.dispatcher.refuseAll(new BunhouseError("UNAVAILABLE", "stopping"))
    expect(lab.refused(3)).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    lab.env.reply(lab.dispatcher, first?.id ?? 0)
    await Promise.resolve()
    expect(isDrained).toBe(false)
    lab.dispatcher.cancel(second ?? lab.submit(9))
    await Promise.resolve()
    expect(isDrained).toBe(true)
    expect(lab.dispatcher.callsInFlight).toBe(2) // which are no reason to wait
  })

  test("is drained at once when nothing is in flight", async () => {
    lab.dispatcher.refuseAll(new BunhouseError("UNAVAILABLE", "stopping"))
    await lab.dispatcher.drained
  })
})
