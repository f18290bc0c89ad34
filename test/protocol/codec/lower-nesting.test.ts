import { describe, expect, test } from "bun:test"
import { encodeArgs, encodeResult } from "../../../protocol/codec/index.ts"
import { VALUE_DEPTH_MAX } from "../../../protocol/limits.ts"
import { differenceOf } from "../../support/same-graph.ts"
import { refusal, sent, sentArgs, sentThrown } from "../../support/sent.ts"
import { sparse } from "../../support/sparse.ts"

type Wrap = (inner: unknown) => unknown

const WRAPS: readonly [string, Wrap][] = [
  ["objects", (inner) => ({ inner })],
  ["arrays", (inner) => [inner]],
  ["sparse arrays", (inner) => sparse(2, { 1: inner })],
  ["maps", (inner) => new Map([["key", inner]])],
  ["map keys", (inner) => new Map([[inner, 1]])],
  ["sets", (inner) => new Set([inner])],
  ["causes", (inner) => new Error("outer", { cause: inner })],
  ["odd objects", (inner) => ({ ["__proto__"]: inner })],
]

function nest(levels: number, wrap: Wrap, innermost: unknown = 1): unknown {
  let value = innermost
  for (let i = 0; i < levels; i++) value = wrap(value)
  return value
}

describe("nesting", () => {
  test.each(WRAPS)("of %s may be VALUE_DEPTH_MAX deep", (_, wrap) => {
    const deepest = nest(VALUE_DEPTH_MAX, wrap)
    expect(differenceOf(deepest, sent(deepest))).toBeUndefined()
    // Both ends must agree on the deepest value, also with a scalar inside that takes levels of its own.
    for (const innermost of ["\ud800", 2n ** 70n, -0]) {
      const odd = nest(VALUE_DEPTH_MAX, wrap, innermost)
      expect(differenceOf(odd, sent(odd))).toBeUndefined()
      expect(differenceOf([odd], sentArgs(odd))).toBeUndefined()
    }
  })

  test.each(WRAPS)("of %s deeper than that is refused", (_, wrap) => {
    for (const levels of [VALUE_DEPTH_MAX + 1, 5_000]) {
      const value = nest(levels, wrap)
      const fromResult = refusal("VALUE_NOT_SENDABLE", () => encodeResult(value))
      expect(fromResult.message).toContain(`nested deeper than ${VALUE_DEPTH_MAX} levels`)
      refusal("VALUE_NOT_SENDABLE", () => encodeArgs([value]))
    }
  })

  test("costs as much as the value is large (L4)", () => {
    // With values lowered again at each level, 100 levels would take for ever.
    const cases = [
      nest(100, (inner) => ({ inner, constructor: 1 })),
      nest(100, (inner) => sparse(3, { 0: inner, 2: 1 })),
      nest(100, (inner) => Object.assign(new Error("e"), { inner, ["\ud800"]: 1 })),
      Array.from({ length: 20_000 }, (_, i) => ({ inner: {}, constructor: i })),
      Array.from({ length: 20_000 }, () => sparse(3, { 0: {}, 2: 1 })),
    ]
    const start = performance.now()
    for (const value of cases) encodeResult(value)
    expect(performance.now() - start).toBeLessThan(2_000)
  })

  test("of errors with parts that cannot be sent costs as much as there are parts (L4, L5)", () => {
    const errors = Array.from({ length: 20_000 }, () => Object.assign(new Error("e"), { f() {} }))
    const start = performance.now()
    expect(sentThrown<AggregateError>(new AggregateError(errors)).errors).toHaveLength(20_000)
    expect(performance.now() - start).toBeLessThan(2_000)
  })
})
