import { describe, expect, test } from "bun:test"
import { createContext, runInContext } from "node:vm"
import { BunhouseError } from "../../../protocol/errors.ts"
import { describe as described, kindOf, ownName, textOf } from "../../../client/code/kind.ts"
import { evaluated } from "./sent.ts"

describe("kindOf()", () => {
  test.each([
    "async () => 1",
    "async function f() {}",
    "async function () {}",
    "{ async m() {} }.m",
    "{ async async() {} }.async",
    'async ({ a } = { a: [")"] }) => a',
    "async async => 1",
    'async (a = /[)"]/) => a',
    "class { static async m() {} }.m",
    "Object.setPrototypeOf(async () => 1, null)",
    "Object.setPrototypeOf(async () => 1, Function.prototype)",
    "Object.defineProperty(async () => 1, Symbol.toStringTag, { value: 'Function' })",
  ])("is async for %s", (text) => {
    expect(kindOf(evaluated(text))).toBe("async")
  })

  test.each([
    "() => 1",
    "function f() {}",
    "function () { return Promise.resolve() }",
    "{ m() {} }.m",
    "{ async() {} }.async",
    "{ class() {} }.class",
    "{ classy() {} }.classy",
    "class { static m() {} }.m",
    "new Function('return 1')",
    "function () { return '[native code]' }",
    "() => `{ [native code] }`",
    "Object.setPrototypeOf(() => 1, Object.getPrototypeOf(async () => 1))",
    "async => 1",
    "{ async(x = ((1))) { return `=>` } }.async",
    "Object.defineProperty(() => 1, Symbol.toStringTag, { value: 'AsyncFunction' })",
    "Object.defineProperty(() => 1, 'constructor', { value: Object.getPrototypeOf(async () => 1).constructor })",
    "Object.defineProperty(() => 1, 'name', { value: 'bound f' })",
    "Object.freeze(function () {})",
  ])("is sync for %s", (text) => {
    expect(kindOf(evaluated(text))).toBe("sync")
  })

  test.each([
    ["function* g() {}", "syncGenerator"],
    ["function *g() {}", "syncGenerator"],
    ["function* () {}", "syncGenerator"],
    ["{ *m() {} }.m", "syncGenerator"],
    ["{ * ['m']() {} }.m", "syncGenerator"],
    ["{ *async() {} }.async", "syncGenerator"],
    ["{ *get() {} }.get", "syncGenerator"],
    ["async function* g() {}", "asyncGenerator"],
    ["async function*g() {}", "asyncGenerator"],
    ["{ async *m() {} }.m", "asyncGenerator"],
    ["{ async * async() {} }.async", "asyncGenerator"],
    ["class { static async *m() {} }.m", "asyncGenerator"],
    ["Object.setPrototypeOf(function* () {}, Function.prototype)", "syncGenerator"],
  ])("of %s is %s", (text, kind) => {
    expect<string>(kindOf(evaluated(text))).toBe(kind)
  })

  test("knows functions of another realm", () => {
    const context = createContext({})
    expect(kindOf(runInContext("(async () => 1)", context))).toBe("async")
    expect(kindOf(runInContext("(() => 1)", context))).toBe("sync")
    expect(kindOf(runInContext("(function* () {})", context))).toBe("syncGenerator")
  })

  test.each([
    [
      "class C {}",
      "the function C cannot be sent: it is a class; send it with cls() instead of fn()",
    ],
    ["class {}", "it is a class"],
    ["class extends Object {}", "it is a class"],
    ["class{static name = 5}", "it is a class"],
    ["Object.setPrototypeOf(class {}, null)", "it is a class"],
    [
      "Math.max",
      "the function max cannot be sent: it is native code, which has no source; wrap it in an arrow function",
    ],
    ["Map", "it is native code"],
    ["fetch", "it is native code"],
    ["setTimeout", "it is native code"],
    [
      "(function f() {}).bind(null)",
      'the function "bound f" cannot be sent: it is bound to a `this` or to arguments',
    ],
    ["(() => 1).bind(null)", "wrap it in an arrow function that takes them as arguments"],
    ["Math.max.bind(null, 1)", "it is bound"],
    [
      "new Proxy(() => 1, {})",
      "a function without a name cannot be sent: it is a Proxy, whose code cannot be read",
    ],
    ["new Proxy(class {}, {})", "it is a Proxy"],
    ["undefined", "a value of type undefined cannot be sent: expected a function"],
    ["null", "null cannot be sent: expected a function"],
    ["'() => 1'", "a value of type string cannot be sent: expected a function"],
    ["{ call() {} }", "a value of type object cannot be sent: expected a function"],
    ["Symbol()", "a value of type symbol cannot be sent"],
    ["1n", "a value of type bigint cannot be sent"],
  ])("refuses %s", (text, message) => {
    const refused = (): unknown => kindOf(evaluated(text))
    expect(refused).toThrow(BunhouseError)
    expect(refused).toThrow(message)
    expect(refused).toThrow(expect.objectContaining({ code: "FUNCTION_NOT_SENDABLE", ran: "no" }))
  })

  test("runs no code of the function (K2)", () => {
    const f = evaluated("function f() { throw new Error('called') }")
    for (const key of [
      "name",
      "prototype",
      "toString",
      "constructor",
      "length",
      Symbol.toStringTag,
      Symbol.toPrimitive,
    ]) {
      const getter = { get: () => f(), configurable: true }
      if (Object.getOwnPropertyDescriptor(f, key)?.configurable !== false)
        Object.defineProperty(f, key, getter)
    }
    expect(kindOf(f)).toBe("sync")
    expect(described(f)).toBe("a function without a name")
    const traps = new Proxy({}, { get: () => f })
    expect(() => kindOf(new Proxy(f, traps))).toThrow("it is a Proxy")
  })
})

describe("describe()", () => {
  test("keeps a name from forging lines of a message", () => {
    const forged = Object.defineProperty(() => 1, "name", { value: "x\nerror: all is lost" })
    expect(described(forged)).toBe(String.raw`the function "x\nerror: all is lost"`)
    expect(
      described(Object.defineProperty(() => 1, "name", { value: "a".repeat(500) })).length,
    ).toBeLessThan(80)
    expect(described(Object.defineProperty(() => 1, "name", { value: "größe$_1" }))).toBe(
      "the function größe$_1",
    )
  })
})

describe("ownName()", () => {
  test("is the name where it is text", () => {
    expect(ownName(evaluated("function f() {}"))).toBe("f")
    expect(ownName(Object.defineProperty(() => 1, "name", { value: 5 }))).toBe("")
    expect(ownName({})).toBe("")
  })
})

describe("textOf()", () => {
  test("is the text, whatever the function says", () => {
    const f = Object.assign(evaluated("() => 1"), { toString: () => "lies" })
    expect(textOf(f)).toBe("() => 1")
  })
})
