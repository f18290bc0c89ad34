import { describe, expect, test } from "bun:test"
import * as fc from "fast-check"
import { printable, printableLine } from "../../../cli/render/printable.ts"

describe("printable()", () => {
  test("shows what moves the cursor or forges a line as escapes", () => {
    expect(printable("a\u001b[2J\r\u0007\u007f\u009b\u2028\u202eb")).toBe(
      "a\\x1b[2J\\x0d\\x07\\x7f\\x9b\\u2028\\u202eb",
    )
  })

  test("leaves line breaks, tabs and every other text", () => {
    expect(printable("a\n\té€😀 \\x1b")).toBe("a\n\té€😀 \\x1b")
  })

  test("of any text has no control character but line breaks and tabs", () => {
    expect(isHarmful("\u001b")).toBe(true)
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => !isHarmful(printable(text))))
  })
})

test("printableLine() stays within one line", () => {
  expect(printableLine("a\nb\tc")).toBe("a\\nb\\tc")
})

function isHarmful(text: string): boolean {
  return /[^\P{Cc}\n\t]|\p{Bidi_Control}/u.test(text)
}
