import { describe, expect, test } from "bun:test"
import * as fc from "fast-check"
import { isPlainScalar, isPlainText } from "../../../protocol/codec/scalar.ts"
import { BIGINT_HEX_DIGITS_MAX } from "../../../protocol/limits.ts"
import { anyNumber, anyScalar, anyText } from "../../support/sendable.ts"
import { expectArrivesAsSent, refusal, sent, sentArgs } from "../../support/sent.ts"
import { encodeResult } from "../../../protocol/codec/index.ts"

describe("scalars arrive as sent", () => {
  test("any scalar, as a result and as an argument", () => {
    fc.assert(
      fc.property(anyScalar, (value) => {
        expect(sent(value)).toBe(value)
        expect(sentArgs(value, [value])).toEqual([value, [value]])
      }),
      { numRuns: 2_000 },
    )
  })

  test("any number, bit for bit", () => {
    fc.assert(
      fc.property(anyNumber, (value) => Object.is(sent(value), value)),
      { numRuns: 2_000 },
    )
  })

  test.each([
    0,
    -0,
    1,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    2 ** 53 - 1,
    2 ** 53,
    2 ** 53 + 2,
    -(2 ** 53) + 1,
    -(2 ** 53),
    Number.MIN_VALUE,
    -Number.MIN_VALUE,
    2.225073858507201e-308,
    Number.MAX_VALUE,
    0.1,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 63,
    2 ** 64,
    -(2 ** 31),
    -(2 ** 31) - 1,
    -(2 ** 63),
  ])("the number %p", (value) => {
    expect(sent(value)).toBe(value)
    expect(sent({ value })).toEqual({ value })
    expect(sent([value])).toEqual([value])
  })

  test.each([
    0n,
    1n,
    -1n,
    2n ** 53n,
    2n ** 63n - 1n,
    2n ** 63n,
    -(2n ** 63n),
    -(2n ** 63n) - 1n,
    2n ** 64n - 1n,
    2n ** 64n,
    -(2n ** 64n),
    10n ** 40n,
    -(10n ** 40n),
  ])("the BigInt %p", (value) => {
    expect(sent(value)).toBe(value)
    expect(sent(new Map([[value, value]]))).toEqual(new Map([[value, value]]))
  })

  test("-0 inside of everything", () => {
    expectArrivesAsSent({ a: -0, b: [-0, 0], c: new Set([[-0]]), d: new Map([["k", -0]]) })
  })
})

describe("BigInt", () => {
  const largest = 2n ** BigInt(4 * BIGINT_HEX_DIGITS_MAX) - 1n

  test("of the largest size arrives, whatever its sign", () => {
    expect(sent(largest)).toBe(largest)
    expect(sent(-largest)).toBe(-largest)
  })

  test.each([largest + 1n, -largest - 1n, 10n ** 1_000_000n])("beyond that is refused", (value) => {
    const { path } = refusal("VALUE_NOT_SENDABLE", () => encodeResult({ deep: [value] }))
    expect(path).toBe("result.deep[0]")
  })
})

describe("text", () => {
  test("any text arrives unit for unit, also as a key", () => {
    fc.assert(
      fc.property(anyText, (value) => {
        expect(sent(value)).toBe(value)
        expectArrivesAsSent({ [value]: value, plain: [value] })
      }),
      { numRuns: 2_000 },
    )
  })

  test("of every length around the borders of msgpack's headers", () => {
    // Between the borders lies nothing new: 31/32, 255/256 and 65,535/65,536 bytes, 64 for msgpackr's own loops.
    for (const unit of ["a", "é", "€", "😀"]) {
      for (const around of [0, 8, 16, 32, 64, 86, 128, 256, 21_845, 32_768, 65_536]) {
        for (let length = Math.max(0, around - 2); length <= around + 2; length++) {
          const value = unit.repeat(length)
          expect(sent(value) === value).toBe(true)
          expect(Object.keys(sent<object>({ [value]: 1 }))[0] === value).toBe(true)
        }
      }
    }
  })

  test.each([
    "\ufeff",
    "\ufeffshort",
    `\ufeff${"long".repeat(100)}`,
    `${"long".repeat(100)}\ufeff`,
  ])("keeps a byte order mark where it stands", (value) =>
    expectArrivesAsSent([value, { [value]: value }]),
  )

  test.each([
    "\ud800",
    "\udfff",
    "a\udc00b",
    "\udc00\ud800",
    "😀".slice(1),
    "x".repeat(70) + "\ud83d",
  ])("keeps lone surrogates", (value) =>
    expectArrivesAsSent([value, { [value]: value }, new Error(value)]),
  )

  test.each(["\0", "a\0b", "😀👩‍👩‍👧‍👦", "e\u0301", "\u2028\u2029", "x".repeat(64 * 1024)])(
    "keeps NUL, emoji, combining marks and 64 KiB",
    (value) => expectArrivesAsSent([value, { [value]: value }]),
  )

  test("isPlainText() is true only for what UTF-8 and the decoder keep", () => {
    expect(isPlainText("é😀\ufeff")).toBe(true)
    expect(isPlainText("\ufeffé")).toBe(false)
    expect(isPlainText("\ud83d")).toBe(false)
    expect([0, 1, Number.NaN, "", true, null, undefined].every(isPlainScalar)).toBe(true)
    expect([-0, 1n, "\ud83d", [], {}, Symbol("s"), () => 1].some(isPlainScalar)).toBe(false)
  })
})
