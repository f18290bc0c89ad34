import { describe, expect, test } from "bun:test"
import { circular, maskOf } from "../../../client/code/mask.ts"
import { needsOf, topStatement } from "../../../client/code/needs.ts"
import {
  type SendableNode,
  isClassNode,
  isFunction,
  parse,
  walk,
} from "../../../client/code/parse.ts"
import { scopesOf } from "../../../client/code/scope.ts"
import type { SourceFile } from "../../../client/code/source-file.ts"

async function read(text: string): Promise<SourceFile> {
  const parsed = await parse(text, { dialect: "tsx" })
  expect(parsed.error).toBeUndefined()
  const scopes = await scopesOf(parsed)
  return { ...parsed, path: "/x.tsx", dialect: "tsx", scopes, jsxFactories: new Set() }
}

/** The function or class with `"wanted"` in it, the innermost. */
function wantedIn({ program, text }: SourceFile): SendableNode {
  let wanted: SendableNode | undefined
  walk(program, (node) => {
    if (isFunction(node) || isClassNode(node)) {
      if (text.slice(node.start, node.end).includes("wanted")) wanted = node
    }
    return true
  })
  if (wanted === undefined) throw new Error("nothing is wanted")
  return wanted
}

interface Options {
  readonly values?: readonly string[]
  readonly exports?: readonly string[]
}

async function masked(text: string, { values, exports }: Options = {}): Promise<string> {
  const source = await read(text)
  const root = wantedIn(source)
  const needs = needsOf(root, source, { values: new Set(values), exports: new Set(exports) })
  expect(needs.troubles.map(({ name }) => name)).toEqual([])
  expect(circular(root, needs)).toBeUndefined()
  return maskOf(root, source, needs)
}

/** What is kept, without blanks, and without the export at the end. */
async function kept(text: string, options: Options = {}): Promise<string> {
  const mask = await masked(text, options)
  const lines = mask.split("\n").map((line) => line.trim().replaceAll(/ {2,}/g, " "))
  return lines
    .filter((line) => line !== "")
    .slice(0, -1)
    .join("\n")
}

describe("maskOf() keeps", () => {
  test.each([
    // Imports, by specifier.
    [
      "import { a, b } from 'x'\nfn(() => [a, 'wanted'])",
      "import {a} from'x'\n$=() => [a, 'wanted'];",
    ],
    [
      "import d, { a as b, type T } from 'x'; fn(() => [d, b, 'wanted'] as T)",
      "import d,{a as b} from'x'; $=() => [d, b, 'wanted'] as T;",
    ],
    ["import d, * as n from 'x'\nfn(() => n.wanted)", "import * as n from'x'\n$=() => n.wanted;"],
    [
      "import j from './a.json' with { type: 'json' }\nfn(() => [j, 'wanted'])",
      "import j from'./a.json' with { type: 'json' }\n$=() => [j, 'wanted'];",
    ],
    [
      "import 'effect'; import type { T } from 'x'\nfn((t: T) => 'wanted')",
      "$=(t: T) => 'wanted';",
    ],
    [
      "import r = require('x'); fn(() => [r, 'wanted'])",
      "import r = require('x'); $=() => [r, 'wanted'];",
    ],
    // Declarations, and what they need in turn.
    [
      "const a = 1, b = 2, c = () => a\nfn(() => [c(), 'wanted'])",
      "const a = 1,  c = () => a\n$=() => [c(), 'wanted'];".replace("  ", " "),
    ],
    [
      "const { p, q } = o(); function o() { return 1 } fn(() => [q, 'wanted'])",
      "const { p, q } = o(); function o() { return 1 } $=() => [q, 'wanted'];",
    ],
    [
      "export class A extends B {} class B {} class C {}\nfn(() => [A, 'wanted'])",
      "export class A extends B {} class B {}\n$=() => [A, 'wanted'];",
    ],
    [
      "enum E { A } enum E { B = 2 } fn(() => [E.B, 'wanted'])",
      "enum E { A } enum E { B = 2 } $=() => [E.B, 'wanted'];",
    ],
    [
      "namespace N { export const a = b } const b = 1\nfn(() => [N.a, 'wanted'])",
      "namespace N { export const a = b } const b = 1\n$=() => [N.a, 'wanted'];",
    ],
    [
      "function f(a: string): void; function f(a: any) { return a } fn(() => [f, 'wanted'])",
      "function f(a: any) { return a } $=() => [f, 'wanted'];",
    ],
    [
      "@dec export class A { @dec m() {} } function dec() {}\nfn(() => [A, 'wanted'])",
      "@dec export class A { @dec m() {} } function dec() {}\n$=() => [A, 'wanted'];",
    ],
    [
      "export default function d() { return 1 }\nfn(() => [d, 'wanted'])",
      "export default function d() { return 1 }\n$=() => [d, 'wanted'];",
    ],
    ["let fixed = 1\nfn(() => [fixed, 'wanted'])", "let fixed = 1\n$=() => [fixed, 'wanted'];"],
    [
      "const Box = () => 1\nfn(() => <Box>wanted</Box>)",
      "const Box = () => 1\n$=() => <Box>wanted</Box>;",
    ],
    [
      "/** @jsxImportSource preact */\nfn(() => <b>wanted</b>)",
      "/** @jsxImportSource preact */\n$=() => <b>wanted</b>;",
    ],
    ["a(); b = 1\nif (c) d()\nfn(() => 'wanted'); e()", "$=() => 'wanted';"],
    // Where the function stands.
    [
      "var a=1,b=fn(function(){return[a,c,'wanted']}),c=2,d=3",
      "var a=1, $=function(){return[a,c,'wanted']}, c=2",
    ],
    [
      "const a=fn({m(){return[c,'wanted']}}.m),c=2;",
      "const $={m(){return[c,'wanted']}}[\"m\"], c=2;",
    ],
    ["export function f() { return 'wanted' } g()", "export function f() { return 'wanted' }"],
    ["export default async () => 'wanted'", "$=async () => 'wanted';"],
    ["export default function () { return 'wanted' }", "$=function () { return 'wanted' };"],
    [
      "function f() { function g() { return [g, 'wanted'] } fn(g) }",
      "$=function g() { return [g, 'wanted'] };",
    ],
    ["const f = (n) => n ? f(n - 1) : 'wanted', g = 1", "const f = (n) => n ? f(n - 1) : 'wanted'"],
    ["const f = (n) => 'wanted'", "$=(n) => 'wanted';"],
    ["const o = { async m() { return 'wanted' } }", "$={async m() { return 'wanted' }}[\"m\"];"],
    ["const o = { 'a b'() { return 'wanted' } }", "$={'a b'() { return 'wanted' }}[\"a b\"];"],
    ["const o = { [k()]() { return 'wanted' } }", "$={method() { return 'wanted' }}.method;"],
    [
      "class A { static async m() { return 'wanted' } }",
      "$={async m() { return 'wanted' }}[\"m\"];",
    ],
    [
      "class A { private m<T>(t: T) { return 'wanted' } }",
      "$={m<T>(t: T) { return 'wanted' }}[\"m\"];",
    ],
    ["const o = { async *m() { yield 'wanted' } }", `$={async *m() { yield 'wanted' }}["m"];`],
    ["class A { static *m() { yield 'wanted' } }", `$={*m() { yield 'wanted' }}["m"];`],
    ["class A { f = () => 'wanted' }", "$=() => 'wanted';"],
    [
      "const o = { m() { return [o.n, 'wanted'] }, n: 1 }",
      "const o = { m() { return [o.n, 'wanted'] }, n: 1 }",
    ],
    ["class W { wanted = 1; m() { return W } }", "class W { wanted = 1; m() { return W } }"],
    [
      "const C = class extends B { wanted = 1 }; class B {}",
      "$=class extends B { wanted = 1 }; class B {}",
    ],
  ])("of %p just %p", async (text, expected) => {
    expect(await kept(text)).toBe(expected)
  })

  test("nothing of what a carried value stands for", async () => {
    const text =
      "import { a } from 'x'; let b = 1; b++; function main(c) { fn(() => [a, b, c, 'wanted']) }"
    const mask = await masked(text, { values: ["a", "b", "c"] })
    expect(mask.split("\n")).toEqual([
      expect.stringMatching(/^ +\$=\(\) => \[a, b, c, 'wanted'\]; +$/),
      `import{a,b,c}from"bunhouse:values";var $;export{$ as "bunhouse:value"};`,
      "",
    ])
  })

  test.each([
    ["a", "export const a = 1, b = 2", "export const a = 1"],
    ["a", "const c = 1\nexport { c as a, d as b }\nconst d = 2", "const c = 1"],
    [
      "default",
      "export default c()\nfunction c() { return 1 }",
      "export default c()\nfunction c() { return 1 }",
    ],
    [
      "a",
      "export * from './y'\nexport { a } from './z'",
      "export * from './y'\nexport { a } from './z'",
    ],
    [
      "a",
      "export const { a } = o\nconst o = {}\nexport function b() {}",
      "export const { a } = o\nconst o = {}",
    ],
  ])("what another file imports as %p from %p", async (name, text, expected) => {
    expect(await kept(`${text}\nfn(() => 'wanted')`, { exports: [name] })).toBe(
      `${expected}\n$=() => 'wanted';`,
    )
  })
})

describe("maskOf()", () => {
  test("keeps every line and column of what it keeps", async () => {
    const text = [
      "#!/usr/bin/env bun",
      "import {",
      "  a,",
      "  b, // 😀",
      "} from 'x'; const s = '😀', t = () => a",
      "/* ü */ const remote = fn(",
      "  async (x: number) => {",
      "    return t(x, 'wanted')",
      "  })",
      "after()",
    ]
    const mask = await masked(text.join("\n"))
    const lines = mask.split("\n")
    for (const piece of ["t = () => a", "async (x: number) => {", "    return t(x, 'wanted')"]) {
      const line = text.findIndex((one) => one.includes(piece))
      expect([piece, lines[line]?.indexOf(piece)]).toEqual([piece, text[line]?.indexOf(piece)])
    }
    expect(lines).toHaveLength(text.length + 2)
  })

  test("uses no name that the file uses", async () => {
    const letters = "$ _ q x y z j k w v u a b c d e f g h i l m n o p r s t".split(" ")
    const mask = await masked(`(${letters.join()}) => 1; fn(() => 'wanted'); bunhouse_`)
    expect(mask).toContain("bunhouse__=() => 'wanted';")
  })

  test("tells what would run the statement that the function is a part of", async () => {
    for (const text of [
      "const remote = await fn(function f() { return [remote, 'wanted'] })",
      "const o = make({ m() { return [o, 'wanted'] } })",
      "const { m } = { m() { return [m, 'wanted'] } }",
    ]) {
      const source = await read(text)
      const root = wantedIn(source)
      const needs = needsOf(root, source, { values: new Set(), exports: new Set() })
      expect([text, circular(root, needs) === undefined]).toEqual([text, false])
    }
  })
})

describe("topStatement()", () => {
  test("is undefined for what stands deeper", async () => {
    const source = await read("{ var a = 1 } export const b = 1; for (var c = 1;;) break")
    const statementOf = (name: string) => {
      const node = source.scopes.topLevel(name)?.node
      return node && topStatement(node, source)?.type
    }
    expect([statementOf("a"), statementOf("b"), statementOf("c")]).toEqual([
      undefined,
      "ExportNamedDeclaration",
      undefined,
    ])
  })
})
