import { describe, expect, test } from "bun:test"
import { findValue } from "../../../client/code/find-value.ts"
import { isFunction, parse, walk, type CallExpression } from "../../../client/code/parse.ts"
import { scopesOf } from "../../../client/code/scope.ts"

// The function that is meant has `"wanted"` in its body.
describe("findValue()", () => {
  test.each([
    "fn(() => 'wanted')",
    "fn((async function () { return 'wanted' }) as any satisfies any)",
    "function f() { return 'wanted' } fn(f)",
    "fn(f); function f() { return 'wanted' }",
    "function f(a: string): void; function f(a: any) { return 'wanted' } fn(f)",
    "const f = () => 'wanted'; fn(f!)",
    "let f = function () { return 'wanted' }; fn(f)",
    "const f = () => 'wanted'; const g = f as any; const h = g; fn(h)",
    "const f = () => 'other'; { const f = () => 'wanted'; fn(f) }",
    "const f = () => 'wanted'; function g() { fn(f) }",
    "const o = { m() { return 'wanted' }, n() { return 'other' } }; fn(o.m)",
    "const o = { m: async () => 'wanted' } as const; fn(o.m)",
    "const o = { 'm': () => 'wanted' }; fn(o.m)",
    "const o = { p: { q: { m: () => 'wanted' } } }; fn(o.p.q.m)",
    "const f = () => 'wanted'; const o = { f }; fn(o.f)",
    "fn({ m() { return 'wanted' } }.m)",
    "class A { static m() { return 'wanted' } m() { return 'other' } } fn(A.m)",
    "const A = class { static m() { return 'wanted' } }; fn(A.m)",
    "const o = { m() { return 'wanted' } }; fn(o['m'])",
    "const { m } = { m() { return 'wanted' } }; fn(m)",
    "class A { m() { return 'wanted' } static m() {} } fn(new A().m)",
    "class A { m() { return 'wanted' } } const a = new A(); fn(a.m)",
    "class A { m = () => 'wanted' } const a = new A(); fn(a.m)",
    "const f = __name(() => 'wanted', 'f'); fn(f)",
  ])("finds it in %s", async (text) => {
    expect(await textOfArgument(text)).toContain("'wanted'")
  })

  test.each([
    "fn()",
    "fn(1)",
    "fn(...[() => 1])",
    "fn(class {})",
    "import { f } from 'x'; fn(f)",
    "import * as x from 'x'; fn(x.f)",
    "function g(f: any) { fn(f) }",
    "fn(f)",
    "fn(Math.max)",
    "const { f } = o; fn(f)",
    "let f; f = () => 1; fn(f)",
    "const f = pick(() => 1); fn(f)",
    "const f = a ? () => 1 : () => 2; fn(f)",
    "fn(f(() => 1))",
    "const o = { m: 1, ...p }; fn(o.n)",
    "const o = { get m() { return () => 1 } }; fn(o.m)",
    "class A { static get m() { return () => 1 } } fn(A.m)",
    "class A { m() {} } fn(A.m)",
    "const a = b, b = a; fn(a)",
    "declare function f(): void; fn(f)",
  ])("does not guess in %s", async (text) => {
    expect(await textOfArgument(text)).toBeUndefined()
  })
})

async function textOfArgument(text: string): Promise<string | undefined> {
  const parsed = await parse(text, { dialect: "ts" })
  expect(parsed.error).toBeUndefined()
  const scopes = await scopesOf(parsed)
  const calls: CallExpression[] = []
  walk(parsed.program, (node) => {
    if (
      node.type === "CallExpression" &&
      node.callee.type === "Identifier" &&
      node.callee.name === "fn"
    )
      calls.push(node)
    return true
  })
  const source = {
    ...parsed,
    path: "/no/such/file.ts",
    dialect: "ts",
    scopes,
    jsxFactories: new Set<string>(),
  } as const
  const found = await findValue(calls[0]?.arguments[0], source)
  if (found === undefined || !isFunction(found.node)) return undefined
  return text.slice(found.node.start, found.node.end)
}
