import { describe, expect, test } from "bun:test"
import { Fields, parseJson } from "../../protocol/fields.ts"
import { refusal } from "../support/sent.ts"

const message = (run: () => unknown): string => refusal("INVALID_ARGUMENT", run).message

const readMax = (inner: Fields): number => inner.integer("max", 1, 9, 1)

describe("Fields", () => {
  test.each<[unknown, string]>([
    [undefined, "nothing"],
    [null, "null"],
    [7, "7"],
    ["text", '"text"'],
    [[1], "[ 1 ]"],
  ])("refuses %p in place of an object", (value, shown) => {
    expect(message(() => new Fields("the spec", value))).toBe(
      `expected the spec to be an object, got ${shown}`,
    )
  })

  test("text() and optionalText() read strings", () => {
    const fields = new Fields("the spec", { a: "x", empty: "", n: 1, no: null, u: undefined })
    expect(fields.text("a")).toBe("x")
    expect(fields.text("empty")).toBe("")
    expect(fields.optionalText("a")).toBe("x")
    expect(fields.optionalText("absent")).toBeUndefined()
    expect(fields.optionalText("u")).toBeUndefined()
    expect(message(() => fields.text("n"))).toBe("the spec: expected n to be a string, got 1")
    expect(message(() => fields.text("absent"))).toContain("to be a string, got nothing")
    expect(message(() => fields.optionalText("no"))).toContain("to be a string, got null")
  })

  test("oneOf() reads one of a closed set", () => {
    const fields = new Fields("the spec", { kind: "async", other: "toString", n: 1 })
    expect(fields.oneOf("kind", ["async", "sync"])).toBe("async")
    for (const key of ["other", "n", "absent"]) {
      expect(message(() => fields.oneOf(key, ["async", "sync"]))).toContain(
        'to be one of "async", "sync", got',
      )
    }
  })

  test.each([1, 5, 10])("integer() reads %p", (value) => {
    expect(new Fields("the spec", { value }).integer("value", 1, 10, 3)).toBe(value)
  })

  test.each([0, 11, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "5", null, true, 5n])(
    "integer() refuses %p",
    (value) => {
      const fields = new Fields("the spec", { value })
      expect(message(() => fields.integer("value", 1, 10, 3))).toStartWith(
        "the spec: expected value to be a whole number from 1 to 10, got ",
      )
    },
  )

  test("integer() stands in for an absent field only if it is told by what", () => {
    const fields = new Fields("the spec", { value: undefined })
    expect(fields.integer("value", 1, 10, 3)).toBe(3)
    expect(fields.integer("absent", 1, 10, 0)).toBe(0)
    expect(message(() => fields.integer("absent", 1, 10))).toContain("from 1 to 10, got nothing")
  })

  test("flag(), list() and unknown() read what they say", () => {
    const fields = new Fields("the spec", { yes: true, items: [1], any: { a: 1 } })
    expect(fields.flag("yes")).toBe(true)
    expect(fields.list("items")).toEqual([1])
    expect(fields.unknown("any")).toEqual({ a: 1 })
    expect(fields.unknown("absent")).toBeUndefined()
    expect(message(() => fields.flag("items"))).toContain("to be true or false, got")
    expect(message(() => fields.flag("absent"))).toContain("to be true or false, got nothing")
    expect(message(() => fields.list("yes"))).toContain("to be a list, got true")
  })

  test("optional() and required() read objects under names that say where they stand", () => {
    const fields = new Fields("the spec", { threads: { max: "many" }, no: null })
    expect(fields.optional("absent", readMax)).toBeUndefined()
    expect(message(() => fields.optional("threads", readMax))).toBe(
      'the spec: threads: expected max to be a whole number from 1 to 9, got "many"',
    )
    expect(message(() => fields.optional("no", readMax))).toBe(
      "expected the spec: no to be an object, got null",
    )
    expect(message(() => fields.required("absent", readMax))).toBe(
      "expected the spec: absent to be an object, got nothing",
    )
  })

  test("done() refuses what nobody read: a misspelt field is not ignored", () => {
    const fields = new Fields("the spec", { a: "x", concurency: 1 })
    fields.text("a")
    fields.optionalText("b")
    expect(message(() => fields.done())).toBe(
      'the spec has the unknown field "concurency" (known: a, b)',
    )
    fields.unknown("concurency")
    fields.done()
  })

  test.each(["__proto__", "constructor", "toString", "hasOwnProperty"])(
    "the field %p is not there unless it was sent",
    (key) => {
      const empty = new Fields("the spec", {})
      expect(empty.optionalText(key)).toBeUndefined()
      const sent = new Fields("the spec", JSON.parse(`{${JSON.stringify(key)}: "x"}`))
      expect(message(() => sent.done())).toContain(`the unknown field ${JSON.stringify(key)}`)
      expect(sent.text(key)).toBe("x")
      sent.done()
    },
  )

  test("messages stay short, whatever was sent", () => {
    const huge = {
      text: "x".repeat(1_000_000),
      ["k".repeat(1_000_000)]: 1,
      deep: Array.from({ length: 100_000 }, () => ({ a: [1] })),
    }
    const fields = new Fields("the spec", huge)
    for (const run of [
      () => fields.flag("text"),
      () => fields.flag("deep"),
      () => fields.oneOf("text", ["a"]),
      () => fields.done(),
      () => new Fields("the spec", huge.text),
    ]) {
      expect(message(run).length).toBeLessThan(300)
    }
  })
})

describe("parseJson()", () => {
  test("reads JSON", () => {
    expect(parseJson("the body", '{"a":[1,null]}')).toEqual({ a: [1, null] })
  })

  test.each(["", "{", "undefined", "{a:1}", "[1,]", "NaN", "\0"])("refuses %p", (text) => {
    const error = refusal("INVALID_ARGUMENT", () => parseJson("the body", text))
    expect(error.message).toBe("expected the body to be JSON")
    expect(error.cause).toBeInstanceOf(SyntaxError)
  })
})
