import { describe, expect, test } from "bun:test"
import { renderThrown } from "../../../cli/render/thrown.ts"
import { makeStyle } from "../../../cli/style.ts"

const render = (thrown: unknown) => renderThrown(thrown, "math/f", makeStyle(false))

describe("renderThrown()", () => {
  test("shows the stack, which may or may not begin with the name", () => {
    const error = { name: "TypeError", message: "no" }
    expect(render({ ...error, stack: "TypeError: no\n    at f (x.ts:1:1)\n" })).toBe(
      "math/f threw TypeError: no\n    at f (x.ts:1:1)",
    )
    expect(render({ ...error, stack: "f@x.ts:1:1" })).toBe("math/f threw TypeError: no\nf@x.ts:1:1")
    expect(render(error)).toBe("math/f threw TypeError: no")
  })

  test("shows causes, as many as are of use", () => {
    const cause = { name: "Error", message: "why" }
    expect(render({ name: "Error", message: "no", cause })).toBe(
      "math/f threw Error: no\ncaused by: Error: why",
    )
    const endless: Record<string, unknown> = { name: "Error", message: "again" }
    endless["cause"] = endless
    expect(render(endless).split("\n").length).toBeLessThan(10)
  })

  test("shows what is no error as JSON", () => {
    expect(render({ value: "oops" })).toBe('math/f threw "oops"')
    expect(render({ value: null })).toBe("math/f threw null")
    expect(render({ value: { a: 1 } })).toBe('math/f threw {"a":1}')
    expect(render({})).toBe("math/f threw undefined")
  })

  test("escapes control characters", () => {
    expect(render({ name: "Error", message: "\u001b[2J" })).toBe("math/f threw Error: \\x1b[2J")
  })
})
