import { beforeEach, describe, expect, test } from "bun:test"
import { BunhouseError, encodeErrorRecord } from "../../../protocol/errors.ts"
import { FrameFlag, FrameType } from "../../../protocol/frame.ts"
import { IDEMPOTENCY_TTL_MS } from "../../../protocol/limits.ts"
import type { Call } from "../../../server/calls/call.ts"
import { batchOf, type FrameParts, standingOn } from "../../support/frames.ts"
import { Lab } from "../../support/lab.ts"

let lab: Lab
beforeEach(() => {
  lab = new Lab()
})

interface More {
  readonly key?: string
  readonly boot?: string
  readonly payload?: string
  readonly timeoutMs?: number
  readonly to?: Lab["route"]
  readonly flags?: number
}

/** Makes a call with a key; `id` is the caller's. */
function submit(id: number, more: More = {}): Call | undefined {
  const { key = "k", boot, payload = "args", timeoutMs = 0, to = lab.route, flags = 0 } = more
  const extra = JSON.stringify({ key, boot })
  const batch = batchOf(FrameType.call, { id, timeoutMs, payload, extra, flags })
  return lab.desk.submit(lab.caller, standingOn(batch), to)
}

/** What the env process was sent. */
const sent = () => lab.env.link?.calls ?? []

function answer(text = "ok", call = sent().at(-1)): void {
  lab.env.reply(lab.dispatcher, call?.id ?? 0, text)
}

function answerError(parts: FrameParts): void {
  const { link } = lab.env
  if (link === undefined) throw new Error("no link")
  const id = sent().at(-1)?.id ?? 0
  lab.dispatcher.replies(link, standingOn(batchOf(FrameType.error, { id, ...parts })))
}

const value = (text: string) => ({ kind: "value", text }) as const

describe("a call with a key", () => {
  test("runs once: who calls meanwhile joins it, who calls later is told its outcome (U1, U2)", () => {
    submit(1)
    submit(2)
    expect(sent()).toHaveLength(1)
    answer("first")
    expect(submit(3)).toBeUndefined()
    expect([1, 2, 3].map((id) => lab.caller.endOf(id))).toEqual(Array(3).fill(value("first")))
    expect(sent()).toHaveLength(1)
    lab.expectIdle()
  })

  test("is another one with another key, and of another function", () => {
    submit(1)
    submit(2, { key: "other" })
    submit(3, { to: lab.env.add("g", { index: 8, run: "thread" }) })
    expect(sent()).toHaveLength(3)
  })

  test("is refused with other arguments, in flight and afterwards (U3)", () => {
    submit(1)
    expect(submit(2, { payload: "others" })).toBeUndefined()
    answer()
    submit(3, { payload: "others" })
    submit(4, { flags: FrameFlag.json })
    for (const id of [2, 3, 4]) {
      expect(lab.caller.errorOf(id)).toMatchObject({ code: "IDEMPOTENCY_CONFLICT", ran: "no" })
    }
    expect(lab.caller.endOf(1)).toEqual(value("ok"))
    expect(sent()).toHaveLength(1)
  })

  test("that threw is recorded like a result", () => {
    submit(1)
    answerError({ flags: FrameFlag.thrown, payload: "boom" })
    submit(2)
    for (const id of [1, 2]) expect(lab.caller.endOf(id)).toEqual({ kind: "thrown", text: "boom" })
    expect(sent()).toHaveLength(1)
  })

  test("that never ran, because another one failed whose result it needs, is not recorded (U2)", () => {
    const extra = 'v1\n{"env":"lab","function":"first","callId":"b-1"}'
    submit(1)
    answerError({ flags: FrameFlag.thrown, payload: "boom", extra })
    submit(2)
    expect(sent()).toHaveLength(2)
    const error = new BunhouseError("VALUE_NOT_SENDABLE", "…", { ran: "yes" })
    answerError({ payload: Buffer.from(encodeErrorRecord(error)), extra: extra.slice(2) })
    submit(3)
    expect(sent()).toHaveLength(3)
  })

  test("whose result could not be sent is recorded, one that did not run is not (U2)", () => {
    submit(1)
    const error = new BunhouseError("VALUE_NOT_SENDABLE", "…", { ran: "yes" })
    answerError({ payload: Buffer.from(encodeErrorRecord(error)) })
    submit(2)
    expect(sent()).toHaveLength(1)
    submit(3, { key: "other" })
    const refused = new BunhouseError("INTERNAL", "…", { ran: "no" })
    answerError({ payload: Buffer.from(encodeErrorRecord(refused)) })
    submit(4, { key: "other" })
    expect(sent()).toHaveLength(3)
  })

  test("that is lost with its env process is not recorded: the next one runs (U2)", () => {
    submit(1)
    submit(2)
    const { link } = lab.env
    lab.env.lose(lab.dispatcher, link)
    for (const id of [1, 2]) expect(lab.caller.errorOf(id).code).toBe("WORKER_LOST")
    lab.route.index = 7
    submit(3)
    expect(sent()).toHaveLength(2)
    answer("second")
    expect(lab.caller.endOf(3)).toEqual(value("second"))
    lab.expectIdle()
  })

  test("that is refused is forgotten", () => {
    lab.env.refusal = new BunhouseError("UNAVAILABLE", "…")
    expect(submit(1)).toBeUndefined()
    expect(lab.caller.errorOf(1).code).toBe("UNAVAILABLE")
    lab.env.refusal = undefined
    expect(submit(2)).toBeDefined()
    answer()
    expect(lab.caller.endOf(2)).toEqual(value("ok"))
  })

  test("is cancelled when nobody waits for it any more, and not before (U4)", () => {
    const [first, second] = [submit(1), submit(2)]
    if (first === undefined || second === undefined) throw new Error("refused")
    lab.desk.cancel(first)
    expect(lab.env.link?.cancels).toEqual([])
    lab.desk.cancel(second)
    expect(lab.env.link?.cancels).toHaveLength(1)
    lab.desk.cancel(second)
    submit(3)
    expect(sent()).toHaveLength(2)
    expect(lab.caller.heard.size).toBe(0)
  })

  test("outlives its caller's connection, so that its outcome is there for the next try (U4)", () => {
    const call = submit(1)
    if (call === undefined) throw new Error("refused")
    lab.desk.leave(call)
    expect(lab.env.link?.cancels).toEqual([])
    submit(2)
    answer("still")
    submit(3)
    expect(lab.caller.endOf(1)).toBeUndefined()
    expect([lab.caller.endOf(2), lab.caller.endOf(3)]).toEqual([value("still"), value("still")])
    lab.expectIdle()
  })

  test("ends with its deadline for all; one that joins has its own as well", () => {
    submit(1, { timeoutMs: 500 })
    submit(2, { timeoutMs: 100 })
    lab.clock.advance(200)
    expect(lab.caller.errorOf(2)).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe" })
    expect(lab.caller.endOf(1)).toBeUndefined()
    submit(3, { timeoutMs: 10_000 })
    lab.clock.advance(400)
    for (const id of [1, 3]) expect(lab.caller.errorOf(id).code).toBe("DEADLINE_EXCEEDED")
    answer()
    lab.expectIdle()
    lab.clock.advance(20_000)
    lab.caller.endOf(3) // told once
  })

  test('that joins one that still waits did not run at its deadline (ran "no")', () => {
    lab.submit(1)
    lab.submit(2)
    submit(3)
    submit(4, { timeoutMs: 50 })
    lab.clock.advance(100)
    expect(lab.caller.errorOf(4)).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "no" })
  })

  test("first tried in another life of the daemon is refused, unless this one knows it (U5)", () => {
    submit(1, { boot: "earlier" })
    expect(lab.caller.errorOf(1)).toMatchObject({ code: "DAEMON_LOST", ran: "maybe" })
    submit(2, { boot: "boot" })
    submit(3, { boot: "earlier" })
    answer()
    submit(4, { boot: "earlier" })
    expect([2, 3, 4].map((id) => lab.caller.endOf(id))).toEqual(Array(3).fill(value("ok")))
  })

  test("is forgotten after a while", () => {
    submit(1)
    answer()
    lab.clock.advance(IDEMPOTENCY_TTL_MS - 1)
    submit(2)
    expect(sent()).toHaveLength(1)
    lab.clock.advance(1)
    submit(3)
    expect(sent()).toHaveLength(2)
  })

  test("tells what it prints to all who wait for it, and goes on", () => {
    submit(1)
    submit(2)
    const { link } = lab.env
    if (link === undefined) throw new Error("no link")
    const id = sent()[0]?.id ?? 0
    lab.dispatcher.replies(link, standingOn(batchOf(FrameType.log, { id, payload: "line" })))
    expect(lab.caller.logged).toEqual(["line", "line"])
    expect(lab.caller.heard.size).toBe(0)
    answer()
    expect(lab.caller.endOf(2)).toEqual(value("ok"))
  })

  test("whose metadata cannot be read is refused alone", () => {
    for (const extra of ["{", `{"key":""}`, `{"key":7}`]) {
      const frame = standingOn(batchOf(FrameType.call, { id: 9, extra }))
      lab.caller.heard.clear()
      expect(lab.desk.submit(lab.caller, frame, lab.route)).toBeUndefined()
      expect(lab.caller.errorOf(9).code).toBe("INVALID_ARGUMENT")
    }
    const frame = standingOn(batchOf(FrameType.call, { id: 10, extra: `{"later":1}` }))
    expect(lab.desk.submit(lab.caller, frame, lab.route)).toBeDefined()
  })
})
