import { beforeEach, describe, expect, test } from "bun:test"
import { IDEMPOTENCY_TTL_MS } from "../../../protocol/limits.ts"
import { KeyedLab } from "../../support/keyed-lab.ts"
import { RESULT } from "../../support/large-jobs.ts"
import { until } from "../../support/until.ts"

let lab: KeyedLab
beforeEach(() => {
  lab = new KeyedLab()
})

describe("the large result of a call with a key", () => {
  test("is kept, and told to all who ask, as they take it (U2)", async () => {
    const first = lab.begin(1)
    lab.bring(first)
    await lab.answerLarge()
    await until(() => lab.caller.parts.has(1), "its first caller to hear of it")
    const second = lab.begin(2)
    lab.bring(second)
    for (const call of [first, second]) lab.take(call, 7)
    await until(() => lab.caller.parts.get(2)?.length === 7, "as much as was taken")
    expect([lab.caller.endOf(1), lab.caller.endOf(2)]).toEqual([undefined, undefined])
    for (const call of [first, second]) lab.take(call, RESULT.length)
    await until(
      () => lab.caller.endOf(1) !== undefined && lab.caller.endOf(2) !== undefined,
      "the ends",
    )
    expect([...lab.caller.parts.values()]).toEqual([RESULT, RESULT])
    expect([lab.calls.length, lab.chunks.texts]).toEqual([1, [RESULT]])
    lab.expectIdle()
  })

  test("is gone with its time, or when nobody wanted it", async () => {
    lab.bring(lab.begin(1))
    await lab.answerLarge()
    await until(() => lab.caller.parts.has(1), "the outcome")
    lab.clock.advance(IDEMPOTENCY_TTL_MS)
    const second = lab.begin(2)
    lab.bring(second)
    expect(lab.calls).toHaveLength(2)
    await until(() => lab.chunks.texts.length === 0, "the first result to be gone")
    lab.announce()
    lab.desk.cancel(second)
    await Bun.sleep(5)
    expect(lab.chunks.texts).toEqual([])
  })

  test("that is not kept is an outcome too: the function does not run again", async () => {
    lab.chunks.chunksLeft = 2
    lab.bring(lab.begin(1))
    await lab.answerLarge()
    await until(() => lab.caller.endOf(1) !== undefined, "the failure")
    lab.bring(lab.begin(2))
    const message = "lab/f: the result cannot be kept: the store is full"
    const text = JSON.stringify({ code: "UNAVAILABLE", message, ran: "yes" })
    for (const id of [1, 2]) expect(lab.caller.endOf(id)).toEqual({ kind: "thrown", text })
    expect(lab.calls).toHaveLength(1)
  })

  test("whose reader leaves in the middle is there for the next", async () => {
    const first = lab.begin(1)
    lab.bring(first)
    await lab.answerLarge()
    await until(() => lab.caller.parts.has(1), "the outcome")
    lab.take(first, 5)
    lab.desk.leave(first)
    const second = lab.begin(2)
    lab.bring(second)
    lab.take(second, RESULT.length)
    await until(() => lab.caller.endOf(2) !== undefined, "the end")
    expect([lab.caller.endOf(1), lab.caller.parts.get(2)]).toEqual([undefined, RESULT])
  })

  test("that cannot be read says so, and that the function ran", async () => {
    const first = lab.begin(1)
    lab.bring(first)
    await lab.answerLarge()
    await until(() => lab.caller.parts.has(1), "the outcome")
    lab.chunks.isAway = true
    lab.take(first, RESULT.length)
    await until(() => lab.caller.endOf(1) !== undefined, "the failure")
    expect(lab.caller.errorOf(1)).toMatchObject({ code: "UNAVAILABLE", ran: "yes" })
  })

  test("that is not taken in time is not waited for", async () => {
    const first = lab.begin(1, { timeoutMs: 1_000 })
    lab.bring(first)
    await lab.answerLarge()
    await until(() => lab.caller.parts.has(1), "the outcome")
    lab.clock.advance(1_000)
    expect(lab.caller.errorOf(1)).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "yes" })
  })
})
