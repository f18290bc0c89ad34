import { beforeEach, describe, expect, test } from "bun:test"
import { FrameFlag, FrameType } from "../../../protocol/frame.ts"
import { PART_BYTES_MAX } from "../../../protocol/limits.ts"
import { FedPayload } from "../../../server/calls/fed-payload.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { KeyedLab, largeCall } from "../../support/keyed-lab.ts"
import { ARGS, openArguments } from "../../support/large-jobs.ts"
import { until } from "../../support/until.ts"

const value = (text: string) => ({ kind: "value", text }) as const

let lab: KeyedLab
beforeEach(() => {
  lab = new KeyedLab()
})

describe("large arguments of a call with a key", () => {
  test("go to the env process as it grants, and run once; those of others are looked at alone (U1, U6)", () => {
    const first = lab.begin(1)
    const second = lab.begin(2)
    lab.grant(10)
    expect([...lab.caller.granted]).toEqual([[1, 10]])
    lab.bring(first, { upTo: 10 })
    expect(lab.caller.granted.has(2)).toBe(false)
    lab.grant(ARGS.length - 10)
    lab.bring(first, { at: 10 })
    expect(lab.fed).toBe(ARGS)
    expect(lab.caller.granted.get(2)).toBe(ARGS.length)
    lab.bring(second)
    lab.answer()
    const third = lab.begin(3)
    expect([lab.caller.granted.get(3), lab.caller.endOf(3)]).toEqual([ARGS.length, undefined])
    lab.bring(third)
    expect([1, 2, 3].map((id) => lab.caller.endOf(id))).toEqual(Array(3).fill(value("ok")))
    expect([lab.calls.length, lab.fed]).toEqual([1, ARGS])
    lab.expectIdle()
  })

  test("that are others are refused, before they are brought where their length tells (U3)", () => {
    const first = lab.begin(1)
    expect(() => lab.begin(2, { args: "others" })).toThrow("other arguments")
    expect(() => lab.begin(9, { flags: FrameFlag.json })).toThrow("other arguments")
    const whole = batchOf(FrameType.call, { id: 3, payload: "x", extra: `{"key":"k"}` })
    expect(lab.desk.submit(lab.caller, standingOn(whole), lab.route)).toBeUndefined()
    const fourth = lab.begin(4)
    lab.bring(first)
    const others = ARGS.toUpperCase()
    lab.bring(fourth, { args: others })
    lab.answer()
    lab.bring(lab.begin(5), { args: others })
    for (const id of [3, 4, 5]) {
      expect(lab.caller.errorOf(id)).toMatchObject({ code: "IDEMPOTENCY_CONFLICT", ran: "no" })
    }
    expect([lab.caller.endOf(1), lab.calls.length]).toEqual([value("ok"), 1])
    lab.expectIdle()
  })

  test("who has yet to bring his hears the outcome when they are known to be the same (U3)", () => {
    const [first, second, third] = [lab.begin(1), lab.begin(2), lab.begin(3)]
    lab.bring(first)
    lab.bring(second, { upTo: 5 })
    lab.answer()
    expect([lab.caller.endOf(1), lab.caller.endOf(2)]).toEqual([value("ok"), undefined])
    lab.bring(second, { at: 5 })
    lab.bring(third, { args: ARGS.toUpperCase() })
    expect(lab.caller.endOf(2)).toEqual(value("ok"))
    expect(lab.caller.errorOf(3).code).toBe("IDEMPOTENCY_CONFLICT")
  })

  test("a failure of the platform is told to all at once", () => {
    const [first] = [lab.begin(1), lab.begin(2)]
    lab.bring(first)
    lab.env.lose(lab.dispatcher, lab.env.link)
    for (const id of [1, 2]) expect(lab.caller.errorOf(id).code).toBe("WORKER_LOST")
  })

  test.each(["leaves", "cancels"])(
    "are brought by the next one when the first %s in the middle (U6)",
    (how) => {
      const first = lab.begin(1)
      const second = lab.begin(2, { timeoutMs: 1_000 })
      lab.grant(10)
      lab.bring(first, { upTo: 10 })
      lab.clock.advance(300)
      if (how === "leaves") lab.desk.leave(first)
      else lab.desk.cancel(first)
      expect([lab.calls.length, lab.env.link?.cancels.length]).toEqual([2, 1])
      lab.grant(ARGS.length)
      expect(lab.caller.granted.get(2)).toBe(ARGS.length)
      lab.bring(second)
      expect(lab.fed).toBe(ARGS)
      lab.answer()
      expect([lab.caller.endOf(1), lab.caller.endOf(2)]).toEqual([undefined, value("ok")])
    },
  )

  test("nobody brings any more end the call; those that are complete do not (U4)", () => {
    const first = lab.begin(1)
    lab.grant(10)
    lab.bring(first, { upTo: 10 })
    lab.desk.leave(first)
    expect(lab.env.link?.cancels).toHaveLength(1)
    const second = lab.begin(2)
    expect(lab.calls).toHaveLength(2)
    lab.bring(second)
    lab.desk.leave(second)
    lab.answer()
    lab.bring(lab.begin(3))
    expect([lab.caller.endOf(3), lab.calls.length]).toEqual([value("ok"), 2])
  })

  test("of which the next one's time is over before they are there do not run", () => {
    const first = lab.begin(1)
    lab.begin(2, { timeoutMs: 100 })
    lab.desk.leave(first)
    lab.clock.advance(200)
    expect(lab.caller.errorOf(2)).toMatchObject({ code: "DEADLINE_EXCEEDED" })
    expect([lab.calls.length, lab.env.link?.cancels.length]).toEqual([2, 2])
  })

  test("that do not fit what was said are refused", () => {
    lab.bring(lab.begin(1))
    lab.bring(lab.begin(2), { at: 3 })
    lab.bring(lab.begin(3), { args: `${ARGS}!`, total: ARGS.length })
    for (const id of [2, 3])
      expect(lab.caller.errorOf(id)).toMatchObject({ code: "PROTOCOL_ERROR", ran: "no" })
    expect(lab.caller.endOf(1)).toBeUndefined()
  })

  test("are looked at with little of them on the way", () => {
    const total = 10 * PART_BYTES_MAX
    const args = "x".repeat(total)
    lab.bring(lab.begin(1, { args }), { args })
    const second = lab.begin(2, { args })
    for (let at = 0; at < total; at += PART_BYTES_MAX) {
      const onTheWay = (lab.caller.granted.get(2) ?? 0) - at
      expect([at, onTheWay]).toEqual([at, Math.min(2 * PART_BYTES_MAX, total - at)])
      lab.bring(second, { args, at, upTo: at + PART_BYTES_MAX })
    }
    expect(lab.caller.granted.get(2)).toBe(total)
    lab.answer()
    expect(lab.caller.endOf(2)).toEqual(value("ok"))
  })

  test("may be the body of a request, which brings them when they are asked for", async () => {
    lab.bring(lab.begin(1))
    lab.answer()
    const desk = new FedPayload(lab.desk, openArguments())
    expect(desk.submit(lab.caller, largeCall(2), lab.route)).toBeDefined()
    await until(() => lab.caller.endOf(2) !== undefined, "the outcome")
    expect([lab.caller.endOf(2), lab.calls.length]).toEqual([value("ok"), 1])
  })
})
