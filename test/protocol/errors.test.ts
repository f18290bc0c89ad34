import { describe, expect, test } from "bun:test"
import {
  asBunhouseError,
  BunhouseError,
  decodeErrorRecord,
  encodeErrorRecord,
  ERROR_CODES,
  fromErrorRecord,
  toErrorRecord,
} from "../../protocol/errors.ts"
import { ALL_CODES } from "../support/codes.ts"

describe("ERROR_CODES", () => {
  test.each(ALL_CODES)("%s has a status, a fact and an exit code", (code) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
    const { status, ran, exit } = ERROR_CODES[code]
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(600)
    expect(["no", "maybe"]).toContain(ran)
    expect(exit).toBeGreaterThan(0)
    expect(exit).toBeLessThan(126)
  })

  test("what is refused before a function starts says that it did not run", () => {
    for (const code of ALL_CODES) {
      const { status, ran } = ERROR_CODES[code]
      const isOutcomeUnknown = [499, 500, 502, 504].includes(status)
      expect([code, ran]).toEqual([code, isOutcomeUnknown ? "maybe" : "no"])
    }
  })
})

describe("BunhouseError", () => {
  test.each(ALL_CODES)("%s takes `ran` from the table, unless it is told better", (code) => {
    expect(new BunhouseError(code, "m").ran).toBe(ERROR_CODES[code].ran)
    expect(new BunhouseError(code, "m", { ran: "yes" }).ran).toBe("yes")
  })

  test("has the details that were given, and no others", () => {
    const error = new BunhouseError("NOT_FOUND", "nobody")
    expect(error).toBeInstanceOf(Error)
    expect(String(error)).toBe("BunhouseError: nobody")
    expect(Object.keys(error).toSorted()).toEqual(["code", "name", "ran"])
    expect("cause" in error).toBe(false)
    const full = new BunhouseError("OVERLOADED", "busy", {
      env: "ml",
      retryAfterMs: 0,
      cause: undefined,
    })
    expect(Object.keys(full).toSorted()).toEqual(["code", "env", "name", "ran", "retryAfterMs"])
    expect(Object.hasOwn(full, "cause")).toBe(true)
  })
})

describe("records", () => {
  const details = { env: "ml", function: "f", callId: "c", path: "args[0]", retryAfterMs: 250 }

  test.each(ALL_CODES)("%s survives the way as JSON", (code) => {
    for (const options of [{}, { ran: "yes" as const, ...details }]) {
      const error = new BunhouseError(code, "message \u0000 \u2028 \ud800", options)
      const record: unknown = JSON.parse(JSON.stringify(toErrorRecord(error)))
      expect(toErrorRecord(fromErrorRecord(record))).toEqual(toErrorRecord(error))
      expect(toErrorRecord(decodeErrorRecord(encodeErrorRecord(error)))).toEqual(
        toErrorRecord(error),
      )
    }
  })

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["text", "NOT_FOUND"],
    ["a list", ["NOT_FOUND"]],
    ["an empty object", {}],
    ["an unknown code", { code: "TEAPOT", message: "m", ran: "no" }],
    ["a code that every object has", { code: "toString", message: "m" }],
    ["a code in small letters", { code: "not_found" }],
    ["a code that is a list", { code: ["NOT_FOUND"] }],
    ["a code behind the prototype", Object.create({ code: 7 })],
    ["an object without a prototype", Object.create(null)],
  ])("%s becomes INTERNAL, never an exception", (_, record) => {
    const error = fromErrorRecord(record)
    expect(error).toBeInstanceOf(BunhouseError)
    expect(error.code).toBe("INTERNAL")
  })

  test("parts of the wrong kind are left out, one by one", () => {
    const error = fromErrorRecord({
      code: "NOT_FOUND",
      message: 7,
      ran: "perhaps",
      env: 1,
      function: ["f"],
      callId: null,
      path: {},
      retryAfterMs: "1",
    })
    expect(toErrorRecord(error)).toEqual({
      code: "NOT_FOUND",
      ran: "no",
      message: "the peer reported an error that cannot be read",
    })
    for (const retryAfterMs of [Number.NaN, -1, Number.POSITIVE_INFINITY, 1n]) {
      expect("retryAfterMs" in fromErrorRecord({ code: "OVERLOADED", retryAfterMs })).toBe(false)
    }
  })

  test("a hostile record changes nothing but the error", () => {
    const record: unknown = JSON.parse(
      '{"code":"NOT_FOUND","message":"m","__proto__":{"polluted":1},"stack":"s","name":"Evil","cause":1}',
    )
    const error = fromErrorRecord(record)
    expect(error).not.toHaveProperty("polluted")
    expect(error.name).toBe("BunhouseError")
    expect("cause" in error).toBe(false)
    expect(error.stack).not.toBe("s")
  })

  test.each(["", "{", "null", "[]", '"x"', "\u0000", '{"code":"TEAPOT"}'])(
    "decodeErrorRecord() makes INTERNAL of %p",
    (text) => expect(decodeErrorRecord(Buffer.from(text)).code).toBe("INTERNAL"),
  )

  test("decodeErrorRecord() reads any bytes", () => {
    for (let byte = 0; byte < 256; byte++) {
      expect(decodeErrorRecord(new Uint8Array(9).fill(byte)).code).toBe("INTERNAL")
    }
  })
})

describe("asBunhouseError()", () => {
  test("hands out our own error as it is", () => {
    const error = new BunhouseError("NOT_FOUND", "m")
    expect(asBunhouseError(error, "looking")).toBe(error)
  })

  test.each<[string, unknown, string]>([
    ["an error", new TypeError("no such thing"), "looking failed: no such thing"],
    ["text", "text", "looking failed: text"],
    ["undefined", undefined, "looking failed: undefined"],
    ["null", null, "looking failed: null"],
    ["a symbol", Symbol("s"), "looking failed: Symbol(s)"],
    [
      "what cannot be text",
      Object.create(null),
      "looking failed: for a reason that cannot be read",
    ],
  ])("wraps %s", (_, thrown, message) => {
    const error = asBunhouseError(thrown, "looking")
    expect(error).toMatchObject({ code: "INTERNAL", ran: "maybe", message })
    expect(error.cause).toBe(thrown)
  })

  test("wraps an error whose message throws", () => {
    const error = new Error("e")
    Object.defineProperty(error, "message", {
      get() {
        throw new Error("no message")
      },
    })
    expect(asBunhouseError(error, "looking").message).toContain("cannot be read")
  })
})
