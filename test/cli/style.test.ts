import { expect, test } from "bun:test"
import { makeStyle, wantsColor } from "../../cli/style.ts"

test("wantsColor() is for terminals, unless NO_COLOR or a dumb one", () => {
  expect(wantsColor({}, true)).toBe(true)
  expect(wantsColor({ NO_COLOR: "" }, true)).toBe(true)
  expect(wantsColor({}, false)).toBe(false)
  expect(wantsColor({ NO_COLOR: "1" }, true)).toBe(false)
  expect(wantsColor({ TERM: "dumb" }, true)).toBe(false)
})

test("makeStyle() paints, or leaves text as it is", () => {
  expect(makeStyle(true).red("no")).toBe("\u001b[31mno\u001b[39m")
  expect(makeStyle(true).red("")).toBe("")
  expect(makeStyle(false).red("no")).toBe("no")
})
