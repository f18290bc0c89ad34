import { describe, expect, test } from "bun:test"
import { shapeOf } from "../../../client/code/shape.ts"
import { evaluated } from "./sent.ts"

describe("shapeOf()", () => {
  test("says how a function stands in a module", () => {
    expect(shapeOf(evaluated("async function f(a) {}"))).toEqual({
      code: "async function f(a) {}",
      isAsync: true,
      isGenerator: false,
      form: "named",
      parameters: 0,
    })
    expect(shapeOf(evaluated("{ m(a) {} }.m"))).toEqual({
      code: "m(a) {}",
      isAsync: false,
      isGenerator: false,
      form: "method",
      parameters: 1,
    })
    expect(shapeOf(evaluated("{ async async(a) {} }.async"))).toEqual({
      code: "async async(a) {}",
      isAsync: true,
      isGenerator: false,
      form: "method",
      parameters: 11,
    })
  })

  test.each([
    [
      "Object.getOwnPropertyDescriptor({ get x() { return 1 } }, 'x').get",
      'the function "get x" cannot be sent: it is a getter; send an arrow',
    ],
    ["Object.getOwnPropertyDescriptor({ set x(v) {} }, 'x').set", "it is a setter"],
    ["Object.getOwnPropertyDescriptor(class { static get x() {} }, 'x').get", "it is a getter"],
    [
      "(class { static #p() {} static p = this.#p }).p",
      'the function "#p" cannot be sent: it is the #private method of a class; send an arrow',
    ],
    [
      "(class { static async #p() {} static p = this.#p }).p",
      "it is the #private method of a class",
    ],
    ["class {}", "it is a class"],
    ["{ [/[(]/.source](a) {} }['[(]']", "its text cannot be read as JavaScript"],
  ])("refuses %s", (text, message) => {
    expect(() => shapeOf(evaluated(text))).toThrow(message)
  })
})
