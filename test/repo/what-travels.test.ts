import { describe, expect, test } from "bun:test"
import { decodePayload, encodeResult } from "../../protocol/codec/index.ts"
import { encodeJsonResult } from "../../envs/json-payload.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { sparse } from "../support/sparse.ts"

/** The sentences of docs/protocol.md, "What travels", about what is lost and about what JSON cannot say. */
function arrived(value: unknown): unknown {
  return decodePayload(encodeResult(value))
}

/** Everything that an object has of its own, hidden or not, and whether it may get more. */
function shapeOf(value: unknown): object {
  const object = Object(value)
  return {
    properties: Object.getOwnPropertyDescriptors(object),
    symbols: Object.getOwnPropertySymbols(object),
    isExtensible: Object.isExtensible(object),
  }
}

const hidden = { value: 1, enumerable: false }
const key = Symbol("key")

describe("by decision", () => {
  test.each([
    ["a property that is not enumerable", Object.defineProperty({ a: 1 }, "b", hidden), { a: 1 }],
    ["a symbol that is not enumerable", Object.defineProperty({ a: 1 }, key, hidden), { a: 1 }],
    ["what is frozen", Object.freeze({ a: 1 }), { a: 1 }],
    ["what is sealed around a value of a special kind", Object.seal({ a: 1n }), { a: 1n }],
    [
      "a getter",
      {
        get a() {
          return 1
        },
      },
      { a: 1 },
    ],
    ["a setter", { set a(_: unknown) {} }, { a: undefined }],
    ["names on an array", Object.assign([1], { name: 1 }), [1]],
    [
      "names on an array with holes",
      Object.assign(Array(3), { name: 1, 2: 1 }),
      sparse(3, { 2: 1 }),
    ],
    ["symbols on an array", Object.assign([1], { [key]: 1 }), [1]],
    ["names on bytes", Object.assign(new Uint8Array(1), { constructor: 1 }), new Uint8Array(1)],
    [
      "names on a DataView",
      Object.assign(new DataView(new ArrayBuffer(1)), { a: 1 }),
      new DataView(new ArrayBuffer(1)),
    ],
    ["names on a buffer", Object.assign(new ArrayBuffer(1), { name: 1 }), new ArrayBuffer(1)],
    ["symbols on a Date", Object.assign(new Date(0), { [key]: 1 }), new Date(0)],
    ["symbols on a Map", Object.assign(new Map([[1, 1]]), { [key]: 1 }), new Map([[1, 1]])],
    ["symbols on a Set", Object.assign(new Set([1]), { [key]: 1 }), new Set([1])],
    ["symbols on a RegExp", Object.assign(/a/, { [key]: 1 }), /a/],
    ["a Proxy", new Proxy({ a: 1 }, {}), { a: 1 }],
  ])("%s: it arrives as plain data", (_what, sent, expected) => {
    expect(arrived(sent)).toEqual(expected)
    expect(shapeOf(arrived(sent))).toEqual(shapeOf(expected))
  })

  test("two views of one buffer become independent, one view that appears twice stays one", () => {
    const view = new Uint8Array(new ArrayBuffer(16), 4, 2)
    const [first, again, other] = Object(arrived([view, view, view.subarray(0)]))
    expect(first).toBe(again)
    expect(first.buffer.byteLength).toBe(2)
    first[0] = 9
    expect([again[0], other[0]]).toEqual([9, 0])
  })

  test("resizable and shared memory arrives with a fixed length", () => {
    const resizable = new ArrayBuffer(4, { maxByteLength: 8 })
    for (const sent of [
      resizable,
      new Uint8Array(resizable),
      new Uint8Array(new SharedArrayBuffer(4)),
    ]) {
      const seen = Object(arrived(sent))
      const memory: unknown = seen.buffer ?? seen
      expect(memory).toBeInstanceOf(ArrayBuffer)
      expect(memory).toMatchObject({ resizable: false, byteLength: 4 })
    }
  })

  test("a BunhouseError carries its fields and its cause, and nothing else", () => {
    const facts = { env: "e", function: "f", callId: "c", path: "p", retryAfterMs: 1 }
    const error = new BunhouseError("OVERLOADED", "full", { ...facts, ran: "no", cause: "rain" })
    const seen = arrived(Object.assign(error, { extra: 1 }))
    expect({ ...Object(seen) }).toEqual({
      name: "BunhouseError",
      code: "OVERLOADED",
      ran: "no",
      ...facts,
    })
    expect(seen).toMatchObject({ message: "full", cause: "rain" })
  })
})

describe("as JSON", () => {
  test.each([
    [undefined, { ok: true }],
    [
      { a: undefined, f() {} },
      { ok: true, value: {} },
    ],
    [[undefined, () => 1, Symbol("s")], { ok: true, value: [null, null, null] }],
    [[Number.NaN, Number.POSITIVE_INFINITY, -0], { ok: true, value: [null, null, 0] }],
    [new Date(0), { ok: true, value: "1970-01-01T00:00:00.000Z" }],
    [
      [new Map([[1, 1]]), new Set([1]), /a/, new ArrayBuffer(1), new Error("e")],
      { ok: true, value: [{}, {}, {}, {}, {}] },
    ],
    [new URL("http://localhost"), { ok: true, value: "http://localhost/" }],
  ])("result %# is what JSON.stringify makes of it", (value, expected) => {
    expect(JSON.parse(Buffer.from(encodeJsonResult(value)).toString())).toEqual(expected)
  })
})
