import { describe, expect, test } from "bun:test"
import * as fc from "fast-check"
import { encodeArgs, encodeResult } from "../../../protocol/codec/index.ts"
import { lower } from "../../../protocol/codec/lower.ts"
import { differenceOf } from "../../support/same-graph.ts"
import { anyGraph } from "../../support/sendable.ts"
import { sparse } from "../../support/sparse.ts"
import { expectArrivesAsSent, refusedPath, sent, sentArgs, sentThrown } from "../../support/sent.ts"

describe("graphs of objects", () => {
  test("arrive with their contents and identities (L3)", () => {
    fc.assert(
      fc.property(anyGraph, (value) => {
        expect(differenceOf(value, sent(value))).toBeUndefined()
        expect(differenceOf([value, [value]], sentArgs(value, [value]))).toBeUndefined()
        expect(differenceOf(value, sentThrown(value))).toBeUndefined()
      }),
      { numRuns: 1_500 },
    )
  })

  test("are not changed by being sent (L1)", () => {
    fc.assert(
      fc.property(anyGraph, (value) => {
        const before = sent(value)
        deepFreeze(value)
        encodeResult(value)
        encodeArgs([value, value])
        expect(differenceOf(value, before)).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })

  test("an object in two arguments is one object (L3)", () => {
    const shared = { list: [1] }
    const [first, second] = sentArgs<[object, { inner: object[] }]>(shared, { inner: [shared] })
    expect(second.inner[0]).toBe(first)
  })

  test("cycles through every kind of container are kept (L3)", () => {
    const array: unknown[] = []
    const holes: unknown[] = []
    const map = new Map<unknown, unknown>()
    const set = new Set<unknown>()
    const bare: Record<string, unknown> = Object.setPrototypeOf({}, null)
    const odd: Record<string, unknown> = { ["__proto__"]: 1 }
    const error = new TypeError("round")
    const value = { array, holes, map, set, bare, odd, error }
    array.push(value, array)
    holes[3] = value
    map.set(value, map).set(map, value)
    set.add(set).add(value)
    bare["value"] = value
    odd["value"] = value
    error.cause = value
    Object.assign(error, { value })
    expectArrivesAsSent(value)
  })

  test("dates, expressions, binary values and errors are shared too (L3)", () => {
    const parts = [new Date(7), /x/g, new Uint8Array([1]), new Error("e"), new ArrayBuffer(2), []]
    expectArrivesAsSent([...parts, ...parts, new Map(parts.map((part) => [part, part]))])
  })

  test("what is met twice but equal by value only stays two objects (L3)", () => {
    const [left, right] = sent<[object, object]>([{ a: 1 }, { a: 1 }])
    expect(left).not.toBe(right)
  })
})

describe("plain objects", () => {
  test.each([
    "__proto__",
    "constructor",
    "toJSON",
    "hasOwnProperty",
    "then",
    "valueOf",
    "",
    "\ud800",
  ])("may have the key %p (L2)", (key) => {
    expectArrivesAsSent({ [key]: 1, other: { [key]: { x: [key] } } })
    expectArrivesAsSent({ before: -0, [key]: { a: {} }, after: new Date(1) })
    expect({}).not.toHaveProperty("x")
  })

  test("keep the order of their keys", () => {
    const value = {
      b: 1,
      "10": 2,
      a: 3,
      "9": 4,
      "-1": 5,
      "1.5": 6,
      "4294967295": 7,
      "4294967294": 8,
    }
    expect(Object.keys(sent<object>(value))).toEqual(Object.keys(value))
  })

  test("may have more keys than two bytes can count", () => {
    const value = Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`key ${i}`, i]))
    expectArrivesAsSent(value)
    expectArrivesAsSent({ ...value, constructor: -0 })
  })

  test("without a prototype arrive without one", () => {
    expectArrivesAsSent(Object.assign(Object.create(null), { a: 1, ["__proto__"]: { b: -0 } }))
    expectArrivesAsSent(/(?<year>\d+)/.exec("2026")?.groups)
  })

  test("a getter arrives as the value it returns", () => {
    const value = {
      plain: 1,
      get fresh() {
        return { at: new Date(3), zero: -0 }
      },
    }
    expect(sent(value)).toEqual({ plain: 1, fresh: { at: new Date(3), zero: -0 } })
  })

  test("properties that are not enumerable do not travel", () => {
    const value = { shown: 1 }
    Object.defineProperty(value, "hidden", { value: () => 1 })
    Object.defineProperty(value, Symbol("hidden"), { value: 1 })
    expect(Reflect.ownKeys(sent<object>(value))).toEqual(["shown"])
  })

  test("a Proxy arrives as what it shows", () => {
    expect(sent(new Proxy({ a: [1] }, {}))).toEqual({ a: [1] })
    expect(sent(new Proxy([1, -0], {}))).toEqual([1, -0])
  })
})

describe("arrays", () => {
  test.each<[string, unknown[]]>([
    ["in the middle", sparse(4, { 0: undefined, 1: null, 3: 3 })],
    ["at the beginning", sparse(2, { 1: 1 })],
    ["at the end", sparse(3, { 0: 1 })],
    [
      "between values that change",
      sparse(4, { 0: { a: 1 }, 1: -0, 3: { b: sparse(2, { 1: -0 }) } }),
    ],
    ["on each level", sparse(3, { 0: sparse(3, { 0: sparse(2, { 1: 1 }), 2: 2 }), 2: 3 })],
    ["and nothing else", sparse(50_000)],
  ])("keep holes %s (L2)", (_, value) => expectArrivesAsSent(value))

  test("keep a length of 2^32-1", () => {
    const value: unknown[] = []
    value[4_294_967_294] = "last"
    value[7] = { a: value }
    expectArrivesAsSent(value)
    expectArrivesAsSent(sparse(4_294_967_295))
    // What stands before the holes may change on the way; no hole is copied for that (L4).
    expectArrivesAsSent(sparse(2_000_000_000, { 0: new Date(0), 1: -0, 6: "x" }))
  })

  test("do not take names for places", () => {
    const value = sparse(3, { 0: 1, 2: 3 })
    const names = ["", " 1", "1e0", "0x1", "-1", "1.5", "01", "4294967295", "Infinity", "+1"]
    for (const name of names) Object.assign(value, { [name]: "named" })
    expect(differenceOf(sparse(3, { 0: 1, 2: 3 }), sent(value))).toBeUndefined()
  })

  test("named properties do not travel", () => {
    expect(differenceOf([1, 2], sent(Object.assign([1, 2], { extra: 1 })))).toBeUndefined()
  })

  test.each([
    ["a match", /(a)/.exec("a")],
    ["a template", ((strings: TemplateStringsArray) => strings)`x`],
    ["a constructor of its own", Object.assign([1], { constructor: Map })],
    ["a constructor of its own", Object.assign([1], { constructor: Object })],
  ])("with %s are refused, not altered (L2)", (_, value) => {
    expect(refusedPath([value])).toBe("args[0][0]")
  })
})

describe("other containers", () => {
  test.each([
    [new Date(0)],
    [new Date(Number.NaN)],
    [new Date(8.64e15)],
    [new Date(-8.64e15)],
    [new Date("-000001-01-01T00:00:00.001Z")],
  ])("%p arrives", (value) => expectArrivesAsSent([value, { value }]))

  test("expressions keep source, flags and lastIndex", () => {
    const sticky = /a\/b[\]/]/dgimsuy
    sticky.lastIndex = 5
    const sets = /[\p{L}--[a-z]]/v
    const negative = /x/g
    negative.lastIndex = -0
    expectArrivesAsSent([sticky, sets, negative, new RegExp(""), new RegExp("\ud83d"), /\ufeff/])
  })

  test("maps and sets nest, with objects as keys", () => {
    const key = { id: new Map([[{ a: 1 }, new Set([[1], [1]])]]) }
    expectArrivesAsSent(
      new Map<unknown, unknown>([
        [key, key],
        [-0, Number.NaN],
        [Number.NaN, -0],
      ]),
    )
    expectArrivesAsSent(new Set<unknown>([undefined, null, Number.NaN, "", 0n, key, new Set()]))
    expectArrivesAsSent([new Map(), new Set(), {}, []])
  })
})

describe("lower()", () => {
  test("hands out the very value where nothing has to change (L1)", () => {
    const value = { a: [1, "x", { b: null }], c: undefined }
    expect(lower(value, "result").value).toBe(value)
  })

  test("copies only what holds a change, once (L1)", () => {
    const untouched = { deep: [1] }
    const value = { untouched, list: [1, -0, -0], when: new Date(0), last: { zero: -0 } }
    const lowered = lower(value, "result").value
    expect(lowered).not.toBe(value)
    expect(lowered).toHaveProperty("untouched", untouched)
    expect(Object.values(Object(lowered))[0]).toBe(untouched)
    expect(value.list).toEqual([1, -0, -0])
  })

  test("a part of a thrown error that cannot be sent is replaced by words (L5)", () => {
    const inner = Object.assign(new RangeError("inner"), { retry() {}, code: "E_INNER" })
    const shared = { a: 1 }
    const late = { b: 2 }
    const lost = { c: 3 }
    const thrown = Object.assign(new TypeError("outer", { cause: inner }), {
      before: shared,
      socket: [{ shared: {} }, lost, { end() {} }, shared],
      after: shared,
      late,
      again: late,
      lost,
      [Symbol("hidden")]: 1,
    })
    const error = sentThrown<typeof thrown>(thrown)
    expect(error).toBeInstanceOf(TypeError)
    expect(error.cause).toBeInstanceOf(RangeError)
    expect(error.cause).toMatchObject({ message: "inner", code: "E_INNER" })
    expect(error.cause).toHaveProperty(
      "retry",
      "thrown.cause.retry cannot be sent: it is the function retry",
    )
    expect(error.socket as unknown).toBe(
      "thrown.socket[2].end cannot be sent: it is the function end",
    )
    // Numbers that were given inside the part were taken back (L3): what is met later counts on.
    expect(error.late).toBe(error.again)
    expect(error.late).toEqual({ b: 2 })
    expect(error.lost).toEqual({ c: 3 })
    expect(error.after).toBe(error.before)
    expect(error.after).toEqual({ a: 1 })
  })
})

function deepFreeze(value: unknown, seen = new Set<unknown>()): void {
  if (typeof value !== "object" || value === null || seen.has(value)) return
  seen.add(value)
  if (!ArrayBuffer.isView(value)) Object.freeze(value)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return
  for (const part of Object.values(value)) deepFreeze(part, seen)
  if (value instanceof Error) deepFreeze(value.cause, seen)
  if (value instanceof Map || value instanceof Set) {
    for (const part of [...value].flat()) deepFreeze(part, seen)
  }
}
