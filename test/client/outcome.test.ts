import { describe, expect, test } from "bun:test"
import { readOutcome } from "../../client/outcome.ts"
import { encodeResult, encodeThrown } from "../../protocol/codec/index.ts"
import { BunhouseError, encodeErrorRecord } from "../../protocol/errors.ts"
import { FrameFlag, FrameType } from "../../protocol/frame.ts"
import { batchOf, standingOn } from "../support/frames.ts"

function read(
  type: typeof FrameType.reply | typeof FrameType.error,
  payload: Uint8Array,
  flags = 0,
) {
  const frame = standingOn(batchOf(type, { payload, flags }))
  return readOutcome(frame, { env: "lab", function: "f" }, () => "boot-1")
}

describe("readOutcome()", () => {
  test("gives the value, and whether a sync function handed out a promise", () => {
    const payload = encodeResult({ a: 1 })
    expect(read(FrameType.reply, payload)).toEqual({
      kind: "returned",
      value: { a: 1 },
      wasPromise: false,
    })
    expect(read(FrameType.reply, payload, FrameFlag.promised).wasPromise).toBe(true)
  })

  test("adds where an error comes from, hidden from those who list its fields", () => {
    const outcome = read(FrameType.error, encodeThrown(new TypeError("x")), FrameFlag.thrown)
    if (outcome.kind !== "threw") throw new Error("expected an error")
    const { thrown } = outcome
    expect(thrown).toBeInstanceOf(TypeError)
    expect(thrown).toMatchObject({ remote: { env: "lab", function: "f", callId: "boot-1" } })
    expect(JSON.stringify(thrown)).toBe("{}")
  })

  test.each([[null], [undefined], [0], ["text"], [{ remote: 1 }]])(
    "leaves a thrown %p alone",
    (value) => {
      const outcome = read(FrameType.error, encodeThrown(value), FrameFlag.thrown)
      expect(outcome).toEqual({ kind: "threw", thrown: value, wasPromise: false })
    },
  )

  test("gives platform errors as they are", () => {
    const error = new BunhouseError("OVERLOADED", "busy", { retryAfterMs: 5 })
    const outcome = read(FrameType.error, encodeErrorRecord(error))
    expect(outcome).toMatchObject({ thrown: { code: "OVERLOADED", ran: "no", retryAfterMs: 5 } })
  })

  test("says that the function ran when what came back cannot be read", () => {
    for (const [type, flags] of [
      [FrameType.reply, 0],
      [FrameType.error, FrameFlag.thrown],
    ] as const) {
      const outcome = read(type, Buffer.from("\u0000\u00c1noise"), flags)
      expect(outcome).toMatchObject({
        kind: "threw",
        thrown: { code: "PROTOCOL_ERROR", ran: "yes", env: "lab", callId: "boot-1" },
      })
    }
    expect(read(FrameType.error, Buffer.from("{"))).toMatchObject({ thrown: { code: "INTERNAL" } })
  })
})
