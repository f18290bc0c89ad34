import { beforeEach, describe, expect, test } from "bun:test"
import { FrameType } from "../../../protocol/frame.ts"
import { singleCall, type SingleOutcome } from "../../../server/http/single-call.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { Lab } from "../../support/lab.ts"

let lab: Lab
beforeEach(() => {
  lab = new Lab()
})

function call(signal: AbortSignal): Promise<SingleOutcome> {
  const frame = standingOn(batchOf(FrameType.call, { payload: "args" }))
  return singleCall({ desk: lab.desk, route: lab.route, frame, signal })
}

function textOf(outcome: SingleOutcome): string {
  if (outcome.kind === "large") throw new Error("the result comes in parts")
  return Buffer.from(outcome.payload).toString()
}

describe("singleCall()", () => {
  test("resolves with a copy of the reply", async () => {
    const outcome = call(new AbortController().signal)
    const [sent] = lab.env.link?.calls ?? []
    const batch = batchOf(FrameType.reply, { id: sent?.id ?? 0, payload: "value" })
    if (lab.env.link !== undefined) lab.dispatcher.replies(lab.env.link, standingOn(batch))
    batch.fill(0)
    expect(await outcome).toMatchObject({ type: FrameType.reply, serial: sent?.serial })
    expect(textOf(await outcome)).toBe("value")
  })

  test("cancels the call when the caller goes away, and lets its place go when the env is done", async () => {
    const caller = new AbortController()
    const outcome = call(caller.signal)
    caller.abort()
    expect(textOf(await outcome)).toContain("CANCELLED")
    const [sent] = lab.env.link?.calls ?? []
    expect(lab.env.link?.cancels).toEqual([sent?.id ?? -1])
    lab.env.reply(lab.dispatcher, sent?.id ?? 0)
    lab.expectIdle()
  })

  test("does not begin for a caller that has gone already", async () => {
    const outcome = await call(AbortSignal.abort())
    expect(JSON.parse(textOf(outcome))).toMatchObject({ code: "CANCELLED", ran: "no" })
    expect(lab.env.link?.calls).toEqual([])
  })

  test("that is refused resolves with the refusal", async () => {
    lab.env.spec.queue = 0
    lab.env.lanes.loop.limit = 0
    const outcome = await call(new AbortController().signal)
    expect(JSON.parse(textOf(outcome))).toMatchObject({ code: "OVERLOADED", ran: "no" })
  })

  test("does not listen to its caller any more once it has ended", async () => {
    const caller = new AbortController()
    let listeners = 0
    const { signal } = caller
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args))
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (
      listeners--,
      remove(...args)
    )
    const outcome = call(signal)
    lab.env.reply(lab.dispatcher, lab.env.link?.calls[0]?.id ?? 0)
    await outcome
    expect(listeners).toBe(0)
  })
})
