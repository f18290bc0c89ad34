import { describe, expect, test } from "bun:test"
import { BunhouseError } from "../../../protocol/errors.ts"
import { readText } from "../../../client/code/text.ts"
import { evaluated } from "./sent.ts"

describe("readText()", () => {
  test("parses the function and nothing else (X1)", async () => {
    for (const text of [
      "(a) => a",
      "function f(a) { return a }",
      "{ m(a) { return a } }.m",
      "async a => a // c",
    ]) {
      const { node, start, code, text: parsed } = await readText(evaluated(text))
      expect(parsed.slice(start, start + code.length)).toBe(code)
      expect(node.params).toHaveLength(1)
    }
  })

  test.each([
    [
      "{ m() { return super.toString() } }.m",
      "it uses `super`, which exists only in its class; send an arrow function",
    ],
    ["new (class { m() { return () => super.x } })().m", "it uses `super`"],
    ["new (class { f = () => super.x })().f", "it uses `super`"],
    [
      "new (class { #x; m() { return this.#x } })().m",
      "it uses #x, which exists only in its class",
    ],
    ["class { static #x; static m(o) { return #x in o } }.m", "it uses #x"],
    ["class { static #x; static m() { return class { #y; a() { this.#x } } } }.m", "it uses #x"],
  ])("refuses what leans on a class (X3): %s", async (text, message) => {
    expect(await refusal(text)).toContain(message)
  })

  test("lets a class inside of the function have its own super and #names", async () => {
    const text = `() => class A extends Object {
      #x = 1; static #s() {} get #g() { return 1 }
      m() { return [super.toString(), this.#x, A.#s, this.#g, class B { n(o) { return #x in o } }] }
      o = { p() { return super.q }, get r() { return super.r } }
    }`
    expect((await readText(evaluated(text))).node.type).toBe("ArrowFunctionExpression")
  })

  test("lets an object literal inside of the function have its own super", async () => {
    for (const text of [
      "() => ({ get r() { return super.r } })",
      "() => ({ set r(v) { super.r = v } })",
      "() => ({ m() { return super.r } })",
    ]) {
      expect((await readText(evaluated(text))).node.type).toBe("ArrowFunctionExpression")
    }
  })

  test.each([
    ["function (o) { with (o) { return a } }", "an ES module cannot contain it ("],
    ["function await() {}", "an ES module cannot contain it ("],
    ["function (a, a) {}", "an ES module cannot contain it ("],
    ["function () { return 010 }", "an ES module cannot contain it ("],
    ["function () { delete a }", "an ES module cannot contain it ("],
    ["(function () { return () => new.target })()", "an ES module cannot contain it ("],
  ])("refuses what no module may contain (X2): %s", async (text, message) => {
    expect(await refusal(text)).toContain(message)
  })

  test("says what it cannot read", async () => {
    // A quote in a regular expression hides that this is a method of the name `async`.
    expect(await refusal("{ async(a = /[']/) { return a } }.async")).toStartWith(
      "the function async cannot be sent: its text cannot be read as JavaScript (",
    )
    // A bracket in one hides where the name of this method ends, which only the parser notices.
    expect(await refusal("Object.values({ [/\\](x)/.source](a) {} })[0]")).toContain(
      "cannot be sent: its text cannot be read as JavaScript",
    )
  })
})

async function refusal(text: string): Promise<string> {
  try {
    await readText(evaluated(text))
  } catch (error) {
    if (error instanceof BunhouseError && error.code === "FUNCTION_NOT_SENDABLE")
      return error.message
    throw error
  }
  throw new Error("it was not refused")
}
