import { describe, expect, test } from "bun:test"
import { decodeArgs, decodePayload } from "../../../protocol/codec/index.ts"
import { SpecialKind as kinds } from "../../../protocol/codec/wire.ts"
import { BunhouseError } from "../../../protocol/errors.ts"
import { BIGINT_HEX_DIGITS_MAX } from "../../../protocol/limits.ts"
import { fingerprint } from "../../support/hostile.ts"
import {
  binary,
  bytesOf,
  float,
  int,
  list,
  map,
  NIL,
  type Part,
  special,
  text,
} from "../../support/msgpack.ts"
import { differenceOf } from "../../support/same-graph.ts"
import { decoded, refusal } from "../../support/sent.ts"

// oxlint-disable typescript/no-unnecessary-type-parameters
/** Reads a value both ways: raised while msgpackr decodes, and by the walk over references. */
function raised<T = unknown>(part: Part): T {
  const direct = decoded<T>(bytesOf(0, part))
  expect(differenceOf(direct, decodePayload(bytesOf(1, part)))).toBeUndefined()
  return direct
}

function expectRefused(part: Part): void {
  for (const encoding of [0, 1]) {
    refusal("PROTOCOL_ERROR", () => decodePayload(bytesOf(encoding, part)))
    refusal("PROTOCOL_ERROR", () =>
      decodePayload(bytesOf(encoding, list(part, map(text("a"), part)))),
    )
  }
}

const TRUE = 0xc3
const reference = (number: number): Part => special(kinds.reference, int(number))
const sparse = (length: number): Part => special(kinds.sparseArray, float(length), list())
const named = (name: string, ...parts: Part[]): Part =>
  special(kinds.error, text(name), text(name), text("m"), text("s"), list(...parts))

describe("contents of specials that cannot be are refused", () => {
  test.each<[string, Part]>([
    ["an unknown kind", special(99)],
    ["a negative kind", special(-1)],
    ["a kind that is text", [0xd4, 1, 0, 0x92, text("map"), list()]],
    ["a kind that is a list", [0xd4, 1, 0, 0x91, list(list(), list())]],
    ["no kind at all", [0xd4, 1, 0, 0x90]],
    ["a BigInt of no digits", special(kinds.bigint, text(""))],
    ["a BigInt of a sign", special(kinds.bigint, text("-"))],
    ["a BigInt of two signs", special(kinds.bigint, text("--1"))],
    ["a BigInt of other letters", special(kinds.bigint, text("xyz"))],
    ["a BigInt with a prefix of its own", special(kinds.bigint, text("0x1"))],
    ["a BigInt that is a number", special(kinds.bigint, int(7))],
    [
      "a BigInt of too many digits",
      special(kinds.bigint, text("f".repeat(BIGINT_HEX_DIGITS_MAX + 1))),
    ],
    ["text that is no bytes", special(kinds.utf16, text("a"))],
    ["text that is nothing", special(kinds.utf16)],
    ["unknown flags", special(kinds.regexp, text("a"), text("xyz"), int(0))],
    ["flags twice", special(kinds.regexp, text("a"), text("gg"), int(0))],
    ["a source that is none", special(kinds.regexp, text("("), text("g"), int(0))],
    ["a source that is a list", special(kinds.regexp, list(text("a")), text("g"), int(0))],
    ["flags that are a list", special(kinds.regexp, text("a"), list(text("g")), int(0))],
    ["an expression of nothing", special(kinds.regexp)],
    ["bytes of an unknown kind", special(kinds.binary, int(13), binary(1))],
    ["bytes of the kind NaN", special(kinds.binary, float(Number.NaN), binary(1))],
    ["bytes of half a kind", special(kinds.binary, float(0.5), binary(1))],
    ["bytes of a named kind", special(kinds.binary, text("length"), binary(1))],
    ["bytes that are text", special(kinds.binary, int(0), text("a"))],
    ["bytes that are no whole items", special(kinds.binary, int(8), binary(1, 2, 3))],
    ["a map that is no list", special(kinds.map, text("ab"))],
    ["a map of bytes", special(kinds.map, binary(1, 2))],
    ["a map with half a pair", special(kinds.map, list(int(1)))],
    ["a set of nothing", special(kinds.set)],
    ["a set of an object", special(kinds.set, map())],
    ["an error of nothing", special(kinds.error)],
    ["an error with half a part", named("Error", text("a"))],
    ["an error with a part without a name", named("Error", int(1), int(2))],
    ["an error with its message as a part", named("Error", text("message"), list())],
    ["an error with its name as a part", named("Error", text("name"), int(1))],
    ["an error with its stack as a part", named("Error", text("stack"), int(1))],
    ["an error that says it is remote", named("Error", text("remote"), map())],
    ["a BunhouseError with a property", named("BunhouseError", text("code"), text("TOTAL"))],
    ["entries with half a pair", special(kinds.entries, TRUE, list(text("a")))],
    ["entries under a number", special(kinds.entries, TRUE, list(int(1), int(2)))],
    ["entries under a list", special(kinds.entries, TRUE, list(list(text("a")), int(2)))],
    ["a reference to nothing", special(kinds.reference, int(50))],
    ["a reference to what comes later", list(special(kinds.reference, int(9)), map(), map())],
    ["a reference to less than nothing", list(map(), special(kinds.reference, int(-1)))],
    ["a reference to half an object", list(map(), special(kinds.reference, float(0.5)))],
    ["a reference to NaN", list(map(), special(kinds.reference, float(Number.NaN)))],
    ["a reference by name", list(map(), special(kinds.reference, text("0")))],
    ["a reference by `length`", list(map(), special(kinds.reference, text("length")))],
    ["a reference by a list", list(map(), special(kinds.reference, list(int(0))))],
  ])("%s", (_, part) => expectRefused(part))

  test.each([-1, 1.5, Number.NaN, 2 ** 32, 2 ** 53, Number.POSITIVE_INFINITY])(
    "a sparse array of the length %p",
    (length) => expectRefused(special(kinds.sparseArray, float(length), list())),
  )

  test.each<[string, Part]>([
    ["at its length", float(5)],
    ["behind its length", float(2 ** 32)],
    ["before its beginning", int(-1)],
    ["between two places", float(0.5)],
    ["at NaN", float(Number.NaN)],
    ["at a name", text("length")],
    ["at a number as text", text("1")],
    ["at a list", list(int(1))],
  ])("a sparse array with an item %s", (_, index) => {
    expectRefused(special(kinds.sparseArray, int(5), list(index, NIL)))
  })

  test("a sparse array of no length, or of half a pair", () => {
    expectRefused(special(kinds.sparseArray))
    expectRefused(special(kinds.sparseArray, text("3"), list()))
    expectRefused(special(kinds.sparseArray, int(3), list(int(0))))
    expectRefused(special(kinds.sparseArray, int(3), int(0)))
  })
})

describe("what is only unusual is read", () => {
  test("a date without a time is invalid", () => {
    for (const part of [text("now"), NIL, list(), float(1e300), float(Number.NaN)]) {
      expect(raised<Date>(special(kinds.date, part)).getTime()).toBeNaN()
    }
  })

  test("an error of an unknown class is an Error of that name", () => {
    const names = ["Function", "constructor", "__proto__", "toString", "process", "", "Ünknown"]
    for (const name of names) {
      const error = raised<Error>(named(name))
      expect(error.constructor).toBe(Error)
      expect(error.name).toBe(name)
    }
  })

  test("an error of parts of other kinds has empty texts", () => {
    const error = raised<Error>(special(kinds.error, int(1), list(), map(), NIL, list()))
    expect(error).toMatchObject({ name: "Error", message: "", stack: "" })
  })

  test("no setter runs and no prototype changes", () => {
    const clean = fingerprint()
    const evil = map(text("polluted"), TRUE)
    const names = ["__proto__", "constructor", "prototype", "toString", "cause", "errors"]
    const parts = names.flatMap((name) => [text(name), evil])
    for (const part of [named("Error", ...parts), special(kinds.entries, 0xc2, list(...parts))]) {
      const received = raised<object>(part)
      const prototype: unknown = Object.getPrototypeOf(received)
      expect(prototype === Error.prototype || prototype === Object.prototype).toBe(true)
      expect(Object.getOwnPropertyDescriptor(received, "__proto__")?.value).toEqual({
        polluted: true,
      })
    }
    expect({}).not.toHaveProperty("polluted")
    expect(fingerprint()).toBe(clean)
  })

  test("a BunhouseError has a code of the closed set, whatever its record says", () => {
    for (const record of [
      map(),
      NIL,
      text("x"),
      list(),
      map(text("code"), text("toString"), text("ran"), int(5), text("env"), int(1)),
    ]) {
      const error = raised<BunhouseError>(named("BunhouseError", text("record"), record))
      expect(error).toBeInstanceOf(BunhouseError)
      expect(error).toMatchObject({ code: "INTERNAL", ran: "maybe", name: "BunhouseError" })
      expect(error.env).toBeUndefined()
    }
  })

  test("specials with more parts than they need are read by the first ones", () => {
    expect(raised(special(kinds.bigint, text("a"), list(), NIL, text("b")))).toBe(10n)
    expect(raised(special(kinds.negativeZero, ...Array(13).fill(NIL)))).toBe(-0)
  })
})

describe("references (L3)", () => {
  test("name containers in the order in which they begin", () => {
    const shared = special(kinds.map, list(text("self"), reference(1), reference(0), reference(2)))
    const dangling = bytesOf(1, list(shared))
    refusal("PROTOCOL_ERROR", () => decodePayload(dangling))
    const [first, second, third] = decoded<[{ up: unknown[] }, Set<unknown>, unknown]>(
      bytesOf(
        1,
        list(map(text("up"), reference(0)), special(kinds.set, list(reference(1))), reference(2)),
      ),
    )
    expect(first.up[0]).toBe(first)
    expect([...second]).toEqual([first])
    expect(third).toBe(second)
  })

  test("to a root that is no container, or in one that is a reference, are refused", () => {
    refusal("PROTOCOL_ERROR", () => decodePayload(bytesOf(1, reference(0))))
    refusal("PROTOCOL_ERROR", () => decodePayload(bytesOf(1, list(1, reference(1)))))
  })

  test("are refused in a payload that says it has none", () => {
    refusal("PROTOCOL_ERROR", () => decodePayload(bytesOf(0, list(reference(0)))))
  })

  test("in place of text never become text: that could take for ever", () => {
    // Each level holds the next one twice: as text the first is 2^100 letters long.
    let doubled: Part = list()
    for (let level = 0; level < 100; level++) doubled = list(doubled, reference(101 - level))
    const start = performance.now()
    for (const kind of [
      kinds.regexp,
      kinds.entries,
      kinds.bigint,
      kinds.error,
      kinds.utf16,
      kinds.date,
    ]) {
      const bytes = bytesOf(
        1,
        list(doubled, special(kind, reference(1), reference(1), reference(1))),
      )
      try {
        decodePayload(bytes)
      } catch (error) {
        if (!(error instanceof BunhouseError)) throw error
        expect(error.message.length).toBeLessThan(400)
      }
    }
    expect(performance.now() - start).toBeLessThan(1_000)
  })
})

describe("decodePayload() and decodeArgs()", () => {
  test("refuse nothing, one byte, and an encoding that is not known", () => {
    for (const bytes of [[], [0], [1], [2, NIL], [0x91, NIL], [255, NIL]]) {
      refusal("PROTOCOL_ERROR", () => decodePayload(bytesOf(...bytes)))
    }
    refusal("PROTOCOL_ERROR", () => decodePayload(bytesOf(0, NIL), 2, 1))
    refusal("PROTOCOL_ERROR", () => decodePayload(bytesOf(0, NIL), 0, 7))
  })

  test("refuse arguments that are not a list, or one of more holes than bytes", () => {
    for (const part of [
      NIL,
      map(),
      text("args"),
      special(kinds.set, list()),
      sparse(2 ** 32 - 1),
    ]) {
      const bytes = bytesOf(0, part)
      refusal("PROTOCOL_ERROR", () => decodeArgs(bytes, 0, bytes.length))
    }
    const bytes = bytesOf(0, sparse(3))
    expect(decodeArgs(bytes, 0, bytes.length)).toHaveLength(3)
  })
})
