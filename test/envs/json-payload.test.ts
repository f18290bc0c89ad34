import { describe, expect, test } from "bun:test"
import { decodeJsonArgs, encodeJsonResult, encodeJsonThrown } from "../../envs/json-payload.ts"
import { PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { refusal } from "../support/sent.ts"

function decoded(text: string): unknown[] {
  const bytes = Buffer.from(text)
  return decodeJsonArgs(bytes, 0, bytes.length)
}

function thrown(value: unknown): { ok: boolean; error: Record<string, unknown> } {
  return JSON.parse(Buffer.from(encodeJsonThrown(value)).toString())
}

function get(): never {
  throw new Error("no")
}

describe("decodeJsonArgs()", () => {
  test("takes a list, or an object with a list of args", () => {
    expect(decoded("[1,[2]]")).toEqual([1, [2]])
    expect(decoded(`{"args":["a"],"more":1}`)).toEqual(["a"])
  })

  test("reads its part of the bytes only", () => {
    const bytes = Buffer.from("noise[1]noise")
    expect(decodeJsonArgs(bytes.subarray(2), 3, 6)).toEqual([1])
  })

  test("does not let a key touch the prototype", () => {
    const [value] = decoded(`[{"__proto__":{"polluted":1},"constructor":{"prototype":{"x":1}}}]`)
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect("polluted" in {}).toBe(false)
  })

  test.each([[""], ["{"], ["1"], ["null"], [`"text"`], ["{}"], [`{"args":1}`], ["[1]]"]])(
    "refuses %p",
    (text) => {
      refusal("INVALID_ARGUMENT", () => decoded(text))
    },
  )
})

describe("encodeJsonResult()", () => {
  test("is one line of JSON", () => {
    expect(Buffer.from(encodeJsonResult({ a: [1] })).toString()).toBe(
      `{"ok":true,"value":{"a":[1]}}\n`,
    )
  })

  test("refuses what JSON cannot say, and says that the function ran", () => {
    const cycle: Record<string, unknown> = {}
    cycle["self"] = cycle
    for (const value of [1n, cycle]) {
      expect(refusal("VALUE_NOT_SENDABLE", () => encodeJsonResult(value)).ran).toBe("yes")
    }
    const long = "x".repeat(PAYLOAD_BYTES_MAX)
    expect(refusal("PAYLOAD_TOO_LARGE", () => encodeJsonResult(long)).ran).toBe("yes")
  })
})

describe("encodeJsonThrown()", () => {
  test("tells name, message, stack, cause and own fields", () => {
    const error = Object.assign(new TypeError("bad", { cause: new RangeError("deep") }), { at: 1 })
    expect(thrown(error)).toMatchObject({
      ok: false,
      error: { name: "TypeError", message: "bad", at: 1, cause: { name: "RangeError" } },
    })
  })

  test("tells what is no error as a value", () => {
    expect(thrown("text").error).toEqual({ value: "text" })
    expect(thrown(undefined).error).toEqual({})
  })

  test("ends with causes that form a circle", () => {
    const a = new Error("a")
    a.cause = new Error("b", { cause: a })
    expect(thrown(a).error).toMatchObject({ message: "a", cause: { message: "b" } })
  })

  test("never fails, and keeps name and message where it can", () => {
    const trap = Object.defineProperty(new Error("trapped"), "field", { get, enumerable: true })
    const hostile = Object.defineProperty(new Error("x"), "message", { get })
    expect(thrown(Object.assign(new Error("big"), { count: 1n })).error).toEqual({
      name: "Error",
      message: "big",
    })
    expect(thrown(trap).error["message"]).toBeString()
    expect(thrown(hostile).error["message"]).toBeString()
    expect(thrown(1n).error["message"]).toBe("1")
    expect(thrown(new Error("y".repeat(PAYLOAD_BYTES_MAX + 1))).error["message"]).toHaveLength(
      8_192,
    )
    expect(thrown(Symbol("s")).error).toEqual({})
  })
})
