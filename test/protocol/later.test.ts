import { describe, expect, test } from "bun:test"
import { readLaterCalls } from "../../protocol/later.ts"
import { LATER_CALLS_MAX } from "../../protocol/limits.ts"
import { encodeOrigin, isOfAnother, readOrigin } from "../../protocol/origin.ts"
import { refusal } from "../support/sent.ts"

const CALL = {
  places: [0, 2],
  env: "far",
  function: "f",
  payload: new Uint8Array(3),
  flags: 0,
  timeoutMs: 5,
}

describe("readLaterCalls()", () => {
  test("reads what was said", () => {
    expect(readLaterCalls([CALL, { ...CALL, key: "k" }], 3)).toEqual([CALL, { ...CALL, key: "k" }])
  })

  test.each<[string, unknown, number]>([
    ["no list", {}, 3],
    ["too many", Array.from({ length: LATER_CALLS_MAX + 1 }, () => CALL), 3],
    ["a place that is none", [CALL], 2],
    ["a place before the first", [{ ...CALL, places: [-1] }], 3],
    ["arguments that are none", [{ ...CALL, payload: "text" }], 3],
  ])("refuses %s", (_what, list, count) => {
    refusal("PROTOCOL_ERROR", () => readLaterCalls(list, count))
  })

  test("refuses a call that lacks something", () => {
    for (const key of Object.keys(CALL)) {
      expect(() => readLaterCalls([{ ...CALL, [key]: undefined }], 3)).toThrow()
    }
  })
})

describe("who threw", () => {
  const who = { env: "far", function: "f", callId: "b-1" }

  test("is known by version alone, or by name where it is another function", () => {
    expect(readOrigin(Buffer.from("v1"))).toEqual({ version: "v1" })
    expect(readOrigin(encodeOrigin(Buffer.from("v1"), who))).toEqual({ version: "v1", who })
    expect(readOrigin(new Uint8Array(0))).toEqual({ version: undefined })
  })

  test("is told of a failure of the platform, too, which has no version", () => {
    const origin = encodeOrigin(new Uint8Array(0), who)
    expect(readOrigin(origin)).toEqual({ version: undefined, who })
    expect([isOfAnother(origin), isOfAnother(Buffer.from("v1"))]).toEqual([true, false])
  })

  test("is the first one, however far the error has come", () => {
    const first = encodeOrigin(Buffer.from("v1"), who)
    expect(readOrigin(encodeOrigin(first, { ...who, function: "g" }))).toEqual({
      version: "v1",
      who,
    })
  })
})
