import { describe, expect, test } from "bun:test"
import { type FunctionNode, isFunction, parse, walk } from "../../../client/code/parse.ts"
import { type Declaration, type Reference, scopesOf } from "../../../client/code/scope.ts"

describe("outsideOf()", () => {
  test.each<[string, readonly string[]]>([
    ["function WANTED(a = b) { const b = 2; return a + b }", ["b"]],
    // In a file, the name of a declaration stands around it; in the function's own text it does not.
    ["function WANTED() { return WANTED() }", ["WANTED"]],
    ["(function WANTED() { return WANTED() })", []],
    ["const o = { m: function WANTED() { return WANTED(m) } }", ["m"]],
    ["const WANTED_ = (n) => WANTED_(n)", ["WANTED_"]],
    ["function WANTED({ a: { b }, ...c }, [d] = e) { return [a, b, c, d] }", ["e", "a"]],
    ["function WANTED() { var a; { let b; function c() {} } return [a, b, c] }", ["b", "c"]],
    [
      "function WANTED() { for (let i in a) i; for (const j of b) j; return [i, j] }",
      ["a", "b", "i", "j"],
    ],
    ["function WANTED() { try {} catch ({ a = b }) { a } return a }", ["b", "a"]],
    ["function WANTED() { l: for (;;) break l }", []],
    [
      "function WANTED() { class A extends B { [c] = this.d; static { e } f() { return A } } return A }",
      ["B", "c", "e"],
    ],
    ["function WANTED() { return { a, b: c, d() {}, [e]: 1 }.f }", ["a", "c", "e"]],
    ["function WANTED() { a = 1; b++; [c] = []; ({ d } = {}) }", ["a", "b", "c", "d"]],
    ["function WANTED() { return `${a}` + b`x` + typeof c }", ["a", "b", "c"]],
    ["function WANTED() { return [arguments, this, new.target] }", []],
    ["function around() { return [function WANTED() { return arguments }] }", []],
    ["const WANTED_ = () => arguments", ["arguments"]],
    ["function WANTED() { return ((a) => ((b) => a + b + c)(a))(1) }", ["c"]],
    ["function WANTED() { return hoisted() + later; function hoisted() {} var later }", []],
    [
      "function WANTED<T extends U>(a: V<T>): W { type X = Y; const z: Z = a as A; return z satisfies B }",
      [],
    ],
    [
      "function WANTED() { enum E { A = b, C = A } namespace N { export const d = 1 } return [E.A, e] }",
      ["b", "e"],
    ],
    ["function WANTED(this: Window, a: typeof b) { return <C>(d) }", ["b", "d"]],
    ["function WANTED(größe: number) { const ñ = größe; return [ñ, ö] }", ["ö"]],
    ["function WANTED() { using a = b; return a }", ["b"]],
    ["async function WANTED() { for await (using a of b) a; await using c = d }", ["b", "d"]],
  ])("of %s is %p", async (text, names) => {
    const { uses } = await analyse(text)
    expect(uses.map(({ name }) => name)).toEqual([...names])
  })

  test("keeps JSX elements apart from tags", async () => {
    const { uses } = await analyse(
      "function WANTED() { return <A.B c={d}><e /><F /></A.B> }",
      "tsx",
    )
    expect(uses.map(({ name }) => name)).toEqual(["A", "d", "F", "A"])
  })

  test("says where a name is used, and whether it is written", async () => {
    const { uses, text } = await analyse(
      "function WANTED() { read; write = 1; both += 1; ({ deep: pattern } = {}) }",
    )
    for (const { name, start } of uses) expect(text.slice(start)).toStartWith(name)
    expect(uses.map(({ written }) => written)).toEqual([false, true, true, true])
  })

  test.each<[string, Partial<Declaration>]>([
    [`import x from "y"`, { kind: "import", from: "y" }],
    [`import { a as x } from "y"`, { kind: "import", from: "y" }],
    [`import * as x from "y"`, { kind: "import", from: "y" }],
    [`import x = require("y")`, { kind: "import" }],
    ["const x = 1", { kind: "constant" }],
    ["const { a: [x] } = y", { kind: "constant" }],
    ["using x = y", { kind: "constant" }],
    ["let x", { kind: "variable" }],
    ["var x", { kind: "variable" }],
    ["function x() {}", { kind: "function" }],
    ["function x(a: string): void; function x(a: any) {}", { kind: "function" }],
    ["class x {}", { kind: "class" }],
    ["abstract class x {}", { kind: "class" }],
    ["enum x { A }", { kind: "enum" }],
    ["const enum x { A }", { kind: "enum" }],
    ["namespace x { export const a = 1 }", { kind: "namespace" }],
    ["interface x {} \n const x = 1", { kind: "constant" }],
  ])("knows %s", async (declaration, expected) => {
    const { uses, text } = await analyse(`${declaration}\nfunction WANTED() { return x }`)
    expect(uses[0]?.declaration).toMatchObject(expected)
    expect(text.slice(uses[0]?.declaration?.start)).toStartWith("x")
    expect(uses[0]?.declaration).not.toHaveProperty("owner")
  })

  test.each([
    "declare const x: number",
    "declare var x: number",
    "declare function x(): void",
    "declare class x {}",
    "declare enum x { A }",
    "declare namespace x { const a: number }",
    "declare global { var x: number }",
    "interface x {}",
    "type x = 1",
    `import type x from "y"; { const x = 1 }`,
    "{ let x }",
    "function y(x) {}",
  ])("takes %s for no declaration of the value x (S1, S2)", async (declaration) => {
    const { uses } = await analyse(`${declaration}\nfunction WANTED() { return x }`)
    expect(uses.map(({ name }) => name)).toEqual(["x"])
    // The import of a type is known as an import; a program that uses it as a value does not load.
    if (declaration.startsWith("import type")) return
    expect(uses[0]?.declaration).toBeUndefined()
  })

  test.each<[string, string | undefined]>([
    ["function main() { const x = 1; return function WANTED() { return x } }", "main"],
    ["function main(x) { { return function WANTED() { return x } } }", "main"],
    ["const main = (x) => [function WANTED() { return x }]", undefined],
    ["class A { main(x) { return function WANTED() { return x } } }", undefined],
    ["function main() { try {} catch (x) { return function WANTED() { return x } } }", "main"],
    ["function main() { for (const x of []) return function WANTED() { return x } }", "main"],
  ])("knows whose variable it is: %s", async (text, name) => {
    const { uses } = await analyse(text)
    expect(uses[0]?.declaration?.owner).toEqual({ name })
  })
})

describe("declarationOf()", () => {
  test("resolves a name where it is used", async () => {
    const text = "const x = 1; function WANTED() { const x = 2; y(x) } y(x)"
    const { scopes } = await analyse(text)
    expect(scopes.declarationOf(text.indexOf("x) }"))?.start).toBe(text.indexOf("x = 2"))
    expect(scopes.declarationOf(text.lastIndexOf("x"))?.start).toBe(text.indexOf("x = 1"))
    expect(scopes.declarationOf(text.indexOf("y"))).toBeUndefined()
    expect(scopes.declarationOf(9999)).toBeUndefined()
  })
})

async function analyse(text: string, dialect: "ts" | "tsx" = "ts") {
  const parsed = await parse(text, { dialect })
  expect(parsed.error).toBeUndefined()
  const scopes = await scopesOf(parsed)
  const uses: Reference[] = []
  walk(parsed.program, (node) => {
    if (isFunction(node) && isWanted(node, text)) uses.push(...scopes.outsideOf(node))
    return true
  })
  return { text, scopes, uses }
}

function isWanted(node: FunctionNode, text: string): boolean {
  return node.id?.name === "WANTED" || text.slice(0, node.start).endsWith("WANTED_ = ")
}
