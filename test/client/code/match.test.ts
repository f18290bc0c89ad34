import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { matching } from "../../../client/code/match.ts"
import { type FunctionNode, isFunction, walk } from "../../../client/code/parse.ts"
import { readSourceFile } from "../../../client/code/source-file.ts"
import { readText } from "../../../client/code/text.ts"
import { IMPORT_FN, evaluated, programFolder } from "./sent.ts"

// Every function of these programs is a candidate. What is sent is marked with `fn(`; it has to match itself alone.
const PROGRAMS: Readonly<Record<string, string>> = {
  "no parameters": "fn(() => 1); (() => 2)",
  "one parameter without brackets": "fn(a => a); (b => b)",
  "an async one without brackets": "fn(async a => a); (async b => b); (a => a)",
  "nested arrow functions": "fn(a => b => a + b); (a => b => a - b)",
  "the inner of two": "const k = (a => [fn(b => b + 1), (b) => b + 2, a])(1)",
  "another beginning": "fn((a) => a.b.c); (a) => a.b; (a) => a",
  "patterns and defaults":
    "fn(({ a, b: [c] = [] }, d = (x) => x, ...e) => [a, c, d, e]); (({ a }, d, ...e) => [a])",
  types:
    "fn(function <T extends (x: string) => void>(this: void, a: T, b?: number): asserts b { return }); (function (a, b) {})",
  names:
    "fn(function one() { return 1 }); (function two() { return 1 }); (function () { return 1 })",
  "type parameters and no others":
    "fn(function <T extends (x: string) => void>() { return 1 }); (function () { return 2 })",
  "an arrow function and an async one": "fn(a => a); (async a => a)",
  "a method and functions of its name":
    "const o = { m(a) { return a } }; function m(a) { return a } const p = { async m(a) { return a }, *m2(a) { return a } }; fn(o.m)",
  "enums that are written out": "enum E { A, B } fn(() => E.A); (() => E.B)",
  "an enum in the middle":
    "enum E { A, B } fn((a) => [E.A, { b: E.B }, a + E.A]); ((a) => [E.B, { b: E.B }, a + E.A])",
  "dead branches":
    "fn((a) => { if (false) { a.b() } return a }); ((a) => { if (true) { a.b() } return a })",
  "constants of its own":
    "fn((a) => { const b = 1; const c = b + a; return c }); ((a) => { const b = 2; const c = b + a; return c })",
  "templates over several lines": "fn((a) => `\n  ${a}\n\t}`); ((a) => `\n  ${a}\n\t)`)",
  methods: "const o = { m(a) { return a }, n(a) { return a }, async m2(a) { return a } }; fn(o.m)",
  "built-in modules": `fn(async () => [await import("fs"), require("path")]); (async () => [await import("os"), require("path")])`,
  NODE_ENV: "fn(() => [process.env.NODE_ENV, process.browser]); (() => [process.env.NODE_ENV])",
  "regular expressions and quotes":
    "fn((a) => /[\"'`(]/.test(a + '\"')); ((a) => /[\"'`)]/.test(a + '\"'))",
  comments: "fn(/* ( */ (/* a */ a /* b */) => /* c */ a /* d */ /* e */); ((a) => [a])",
  "the marks themselves":
    "fn((mark_0, mark_1) => mark_0 + mark_1 + 'mark_1, '); ((mark_0) => mark_0)",
  "classes inside":
    "fn(() => class A { #x = 1; static y = 2; constructor(private z = 3) {} }); (() => class A { #x = 2 })",
}

describe("matching()", () => {
  test.each(Object.entries(PROGRAMS))(
    "tells a function from its neighbours: %s",
    async (_, program) => {
      await using folder = await programFolder()
      const { sent } = await folder.load(
        "program.ts",
        `${IMPORT_FN}\n${program.replace("fn(", "export const sent = fn(").replace("[export const sent = fn(", "[globalThis.matched = fn(")}`,
      )
      const value = sent ?? Reflect.get(globalThis, "matched")
      Reflect.deleteProperty(globalThis, "matched")
      const file = await readSourceFile(join(folder.path, "program.ts"))
      if (file === undefined) throw new Error("no file")
      const candidates: FunctionNode[] = []
      walk(file.program, (node) => {
        if (isFunction(node)) candidates.push(node)
        return true
      })
      const matches = matching(file, candidates, await readText(value.f))
      expect(matches).toHaveLength(1)
      const before = file.text.slice(0, matches[0]?.start).replaceAll(/\/\*.*?\*\/ ?/g, "")
      expect(before).toMatch(/fn\(\(?$|o = \{ m$/)
    },
  )

  test("finds nothing where a comment swallows the mark", async () => {
    await using folder = await programFolder()
    // Without its mark, the place of the candidate is not known; the file begins with the very text.
    const path = join(folder.path, "program.ts")
    await Bun.write(path, "function f/* ( */() {\n  return 1;\n}\n")
    const file = await readSourceFile(path)
    const node = file?.program.body[0]
    if (file === undefined || node === undefined || !isFunction(node))
      throw new Error("no function")
    expect(
      matching(file, [node], await readText(evaluated("function f() {\n  return 1;\n}"))),
    ).toEqual([])
  })

  test("is nothing where there is no candidate", async () => {
    const file = await readSourceFile(import.meta.path)
    if (file === undefined) throw new Error("no file")
    expect(matching(file, [], await readText(() => 1))).toEqual([])
  })
})
