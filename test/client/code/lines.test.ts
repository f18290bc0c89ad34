import { describe, expect, test } from "bun:test"
import { assert, integer, property, string } from "fast-check"
import { offsetAt, positionAt } from "../../../client/code/lines.ts"

describe("offsetAt()", () => {
  test("finds lines that end in any way that JavaScript knows", () => {
    const text = "a\nb\r\nc\rd\u2028e\u2029f\n\ng"
    const lines = ["a", "b", "c", "d", "e", "f", "\n", "g"]
    for (const [index, first] of lines.entries()) {
      expect(text[offsetAt(text, { line: index + 1, column: 1 }) ?? -1]).toBe(first)
    }
    expect(text[offsetAt("a\n  ü😀x", { line: 2, column: 6 }) ?? -1]).toBeDefined()
    expect("a\n  ü😀x"[offsetAt("a\n  ü😀x", { line: 2, column: 6 }) ?? -1]).toBe("x")
  })

  test("is undefined for a place that is not there", () => {
    expect(offsetAt("a\nb", { line: 3, column: 1 })).toBeUndefined()
    expect(offsetAt("a\nb", { line: 2, column: 2 })).toBeUndefined()
    expect(offsetAt("", { line: 1, column: 1 })).toBeUndefined()
  })
})

describe("positionAt()", () => {
  test("counts lines and columns from 1", () => {
    expect(positionAt("abc", 0)).toEqual({ line: 1, column: 1 })
    expect(positionAt("a\r\nbc", 4)).toEqual({ line: 2, column: 2 })
    expect(positionAt("a\n\nb", 2)).toEqual({ line: 2, column: 1 })
  })

  test("is the inverse of offsetAt()", () => {
    assert(
      property(string({ unit: "binary" }), string(), integer({ min: 0, max: 40 }), (a, b, at) => {
        const text = `${a}\n${b}\r\n${a}\u2028.`
        const offset = Math.min(at, text.length - 1)
        // The middle of a line's end is no place where anything can stand.
        if (text[offset] === "\n" && text[offset - 1] === "\r") return
        expect(offsetAt(text, positionAt(text, offset))).toBe(offset)
      }),
    )
  })
})
