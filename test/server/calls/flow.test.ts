import { describe, expect, test } from "bun:test"
import { BunhouseError } from "../../../protocol/errors.ts"
import { FrameFlag, FrameType } from "../../../protocol/frame.ts"
import { forward, grant } from "../../../server/calls/flow.ts"
import type { Call } from "../../../server/calls/call.ts"
import { batchOf, type FrameParts, standingOn } from "../../support/frames.ts"
import { Lab } from "../../support/lab.ts"

/** What the env process sends about a call. */
function fromEnv(lab: Lab, type: FrameType, parts: FrameParts, link = lab.env.link): void {
  if (link === undefined) throw new Error("expected a link")
  lab.dispatcher.replies(link, standingOn(batchOf(type, parts)))
}

function toEnv(call: Call, type: FrameType, parts: FrameParts): void {
  forward(call, standingOn(batchOf(type, parts)))
}

describe("items and credit on their way to the caller", () => {
  test("pass, and the call goes on until its reply", () => {
    const lab = new Lab()
    const call = lab.submit(1)
    fromEnv(lab, FrameType.items, { id: call.id, payload: "one" })
    fromEnv(lab, FrameType.credit, { id: call.id, target: 5 })
    fromEnv(lab, FrameType.items, { id: call.id, payload: "two" })
    expect(lab.caller.flowed).toEqual([
      { callerId: 1, type: FrameType.items, text: "one" },
      { callerId: 1, type: FrameType.credit, text: "" },
      { callerId: 1, type: FrameType.items, text: "two" },
    ])
    expect(lab.caller.endOf(1)).toBeUndefined()
    lab.env.reply(lab.dispatcher, call.id)
    expect(lab.caller.endOf(1)).toMatchObject({ kind: "value" })
    lab.expectIdle()
  })

  test("pass nobody once the caller has gone, whose place stays taken (C3)", () => {
    const lab = new Lab()
    const call = lab.submit(1)
    lab.dispatcher.cancel(call)
    fromEnv(lab, FrameType.items, { id: call.id, payload: "late" })
    expect(lab.caller.flowed).toEqual([])
    expect(lab.env.lanes.loop.running).toBe(1)
    lab.env.reply(lab.dispatcher, call.id)
    lab.expectIdle()
  })

  test("are passed over for a call that waits, is not there, or has ended", () => {
    const lab = new Lab()
    const [first] = [lab.submit(1), lab.submit(2)]
    const waiting = lab.submit(3)
    for (const id of [waiting.id, 0xffff_ffff, 12_345]) {
      fromEnv(lab, FrameType.items, { id, payload: "lie" })
    }
    lab.env.reply(lab.dispatcher, first.id)
    fromEnv(lab, FrameType.items, { id: first.id, payload: "late" })
    expect(lab.caller.flowed).toEqual([])
  })

  test("come before the loss of the env process", () => {
    const lab = new Lab()
    const call = lab.submit(1)
    fromEnv(lab, FrameType.items, { id: call.id, payload: "one" })
    lab.env.lose(lab.dispatcher)
    expect(lab.caller.flowed).toHaveLength(1)
    expect(lab.caller.errorOf(1)).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    lab.expectIdle()
  })
})

describe("items and credit on their way to the function", () => {
  test("pass under the daemon's id, the credit as it was granted", () => {
    const lab = new Lab()
    const call = lab.submit(1)
    toEnv(call, FrameType.credit, { id: 1, target: 10, timeoutMs: 20, serial: 3, flags: 64 })
    toEnv(call, FrameType.items, { id: 1, target: 2, timeoutMs: 7, payload: "items" })
    expect(lab.env.link?.received(FrameType.credit)).toMatchObject([
      { flags: FrameFlag.last, id: call.id, target: 10, timeoutMs: 20, serial: 3, text: "" },
    ])
    expect(lab.env.link?.received(FrameType.items)).toMatchObject([
      { id: call.id, target: 2, timeoutMs: 7, serial: call.serial, text: "items" },
    ])
  })

  test("wait with a call that waits: credit together, items not at all (X1)", () => {
    const lab = new Lab()
    const [first] = [lab.submit(1), lab.submit(2)]
    const call = lab.submit(3)
    toEnv(call, FrameType.credit, { id: 3, target: 10, timeoutMs: 20 })
    toEnv(call, FrameType.credit, { id: 3, target: 1, timeoutMs: 2 })
    toEnv(call, FrameType.credit, { id: 3, target: 100, timeoutMs: 200, serial: 1 })
    toEnv(call, FrameType.items, { id: 3, target: 1, payload: "early" })
    grant(call, { items: 1, bytes: 1 })
    expect(lab.env.link?.received(FrameType.credit)).toEqual([])
    lab.env.reply(lab.dispatcher, first.id)
    expect(lab.env.link?.calls.map(({ id }) => id)).toContain(call.id)
    expect(lab.env.link?.received(FrameType.credit)).toMatchObject([
      { id: call.id, target: 12, timeoutMs: 23, serial: 0 },
    ])
    expect(lab.env.link?.received(FrameType.items)).toEqual([])
  })

  test("are dropped once the call has ended, or its env process is away", () => {
    const lab = new Lab()
    const [call, other] = [lab.submit(1), lab.submit(2)]
    const { link } = lab.env
    lab.dispatcher.cancel(call)
    toEnv(call, FrameType.credit, { id: 1, target: 1 })
    grant(call, { items: 1, bytes: 1 })
    lab.env.lose(lab.dispatcher)
    toEnv(other, FrameType.items, { id: 2, target: 1 })
    grant(other, { items: 1, bytes: 1 })
    expect([link?.received(FrameType.credit), link?.received(FrameType.items)]).toEqual([[], []])
  })

  test("that the broker does not take end the call, and the function is told", () => {
    const lab = new Lab()
    const call = lab.submit(1)
    const batch = batchOf(FrameType.items, { id: call.id, target: 1, payload: "large" })
    lab.dispatcher.unsent(batch, new BunhouseError("PAYLOAD_TOO_LARGE", "too large"))
    expect(lab.caller.errorOf(1)).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "maybe" })
    expect(lab.env.link?.cancels).toEqual([call.id])
    lab.env.reply(lab.dispatcher, call.id)
    lab.expectIdle()
  })
})
