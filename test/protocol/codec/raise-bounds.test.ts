import { describe, expect, test } from "bun:test"
import { decodePayload } from "../../../protocol/codec/index.ts"
import { SpecialKind as kinds } from "../../../protocol/codec/wire.ts"
import { BIGINT_HEX_DIGITS_MAX } from "../../../protocol/limits.ts"
import { growthOf, MIB } from "../../support/memory.ts"
import {
  binary,
  bytesOf,
  float,
  int,
  list,
  NIL,
  type Part,
  special,
  text,
} from "../../support/msgpack.ts"
import { decoded, refusal } from "../../support/sent.ts"

const named = (name: string): Part =>
  special(kinds.error, text(name), text(name), text("m"), text("s"), list())

describe("time and memory follow the bytes (S1)", () => {
  test.each([50, 99_999, 100_000, 2 ** 31, 2 ** 32 - 1])(
    "for many sparse arrays of the length %i",
    (length) => {
      const one = special(kinds.sparseArray, float(length), list())
      const many = bytesOf(0, list(...Array.from({ length: 2_000 }, () => one)))
      expect(many.length).toBeLessThan(64 * 1024)
      let arrays: unknown[][] = []
      expect(growthOf(() => (arrays = decoded<unknown[][]>(many)))).toBeLessThan(16 * MIB)
      expect(arrays[1_999]).toHaveLength(length)
    },
  )

  test("for a sparse array with its items far apart", () => {
    const pairs = Array.from({ length: 20_000 }, (_, i) => [float(i * 200_000), NIL]).flat()
    const bytes = bytesOf(0, special(kinds.sparseArray, float(2 ** 32 - 1), list(...pairs)))
    const start = performance.now()
    expect(Object.keys(decoded<object>(bytes))).toHaveLength(20_000)
    expect(performance.now() - start).toBeLessThan(1_000)
  })

  test("for digits, sources and texts of a megabyte", () => {
    const long = text("f".repeat(MIB))
    const start = performance.now()
    for (const part of [
      special(kinds.bigint, long),
      special(kinds.regexp, text("(".repeat(MIB)), text(""), int(0)),
    ]) {
      refusal("PROTOCOL_ERROR", () => decodePayload(bytesOf(0, part)))
    }
    for (const source of [
      "a".repeat(MIB),
      "(a*)*".repeat(20_000),
      "(?:".repeat(500) + ")".repeat(500),
    ]) {
      expect(
        decodePayload(bytesOf(0, special(kinds.regexp, text(source), text("u"), int(0)))),
      ).toBeInstanceOf(RegExp)
    }
    expect(decodePayload(bytesOf(1, named("f".repeat(MIB))))).toBeInstanceOf(Error)
    expect(performance.now() - start).toBeLessThan(2_000)
  })

  test("for many BigInts of the largest size", () => {
    const one = special(kinds.bigint, text("f".repeat(BIGINT_HEX_DIGITS_MAX)))
    const bytes = bytesOf(0, list(...Array.from({ length: 64 }, () => one)))
    const start = performance.now()
    expect(decodePayload(bytes)).toHaveLength(64)
    expect(performance.now() - start).toBeLessThan(500)
  })

  test("for many small errors, views and maps", () => {
    for (const one of [
      named("TypeError"),
      special(kinds.binary, int(0), binary()),
      special(kinds.map, list()),
    ]) {
      const bytes = bytesOf(0, list(...Array.from({ length: 20_000 }, () => one)))
      const start = performance.now()
      expect(decodePayload(bytes)).toHaveLength(20_000)
      expect(performance.now() - start).toBeLessThan(2_000)
    }
  })
})
