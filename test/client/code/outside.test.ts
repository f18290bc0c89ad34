import { describe, expect, test } from "bun:test"
import {
  type Outside,
  isOfProject,
  isTranspilerName,
  keyOf,
  outsideOf,
} from "../../../client/code/outside.ts"
import { scopesOf } from "../../../client/code/scope.ts"
import { readText } from "../../../client/code/text.ts"
import { placed } from "./fixtures/images.ts"
import { evaluated } from "./sent.ts"

describe("outsideOf()", () => {
  test.each<[string, readonly string[]]>([
    ["() => a + a + b", ["name a", "name b"]],
    [
      "() => [import('./x'), import('./x'), require('../y')]",
      ["module ./x", "module ../y", "name require"],
    ],
    [
      "() => [import('x'), import('node:fs'), import('/x'), import('https://x/y'), import(x), import(x + './y')]",
      ["module x", "module node:fs", "module /x", "module https://x/y", "name x"],
    ],
    [
      "() => [import(`./x`), import(`../${x}`), require(`#y`)]",
      ["module ./x", "module ../", "name x", "module #y", "name require"],
    ],
    [
      "() => [require.resolve('./x'), require.resolve.paths('./y'), module.require('./z')]",
      ["module ./x", "name require", "module ./y", "name module"],
    ],
    ["() => { const require = f; return require('x') }", ["name f", "module x"]],
    ["() => this", ["this this"]],
    ["() => () => [this, { a: this, b() { return this } }]", ["this this"]],
    ["() => function () { return () => this }", []],
    ["() => class { a = this; static { this } b() { this } }", []],
    ["function () { return () => this }", []],
    ["{ m() { return this } }.m", []],
    ["() => arguments", ["name arguments"]],
    ["function () { return () => arguments }", []],
    ["() => { __name(() => 1, 'a'); __name(b, 'c') }", ["name b"]],
    ["() => __name", ["name __name"]],
    ["() => __name(a)", ["name __name", "name a"]],
    ["() => __name(1, b)", ["name __name", "name b"]],
    ["() => eval('hidden')", ["name eval"]],
    ["(a = b, { [c]: d = e } = {}) => [a, d]", ["name b", "name c", "name e"]],
    // The name of a method is not part of what travels.
    [
      "{ ['a' + Symbol.iterator.toString()](b) { return [b, c] } }['a' + Symbol.iterator.toString()]",
      ["name c"],
    ],
  ])("of %s is %p", async (text, keys) => {
    expect((await usesOf(text)).map(keyOf)).toEqual([...keys])
  })

  test("sees import.meta", async () => {
    const text = await readText(placed.f)
    expect(outsideOf(text.node, await scopesOf(text)).map(keyOf)).toEqual([
      "meta import.meta",
      "module ../../../../client/code/lines.ts",
    ])
  })

  test("tells a name whose type alone is asked for", async () => {
    const uses = await usesOf("() => [typeof a, typeof b, b, typeof c.d, typeof (e), typeof f()]")
    expect(uses.map(({ name, onlyTypeof }) => [name, onlyTypeof])).toEqual([
      ["a", true],
      ["b", false],
      ["c", false],
      ["e", true],
      ["f", false],
    ])
  })

  test("tells a name that is written anywhere", async () => {
    const uses = await usesOf("() => { a; a = 1; b; for (c of []); d.e = 1 }")
    expect(uses.map(({ name, written }) => [name, written])).toEqual([
      ["a", true],
      ["b", false],
      ["c", true],
      ["d", false],
    ])
  })
})

describe("isOfProject()", () => {
  test("tells a file of this project from a package", () => {
    for (const own of ["./a", "../a", ".", "..", "./", "#a", "#a/b"])
      expect(isOfProject(own)).toBe(true)
    for (const other of [
      "a",
      "@a/b",
      "node:fs",
      "bun:sqlite",
      "/a",
      "https://a",
      ".a",
      "",
      "a/./b",
    ]) {
      expect(isOfProject(other)).toBe(false)
    }
  })
})

describe("isTranspilerName()", () => {
  test("knows the names that Bun makes, and no others", () => {
    for (const made of [
      "jsxDEV_7x81h0kn",
      "jsx_0abcdefg",
      "Fragment_8vg9x3sq",
      "__decorateElement_ggs2dd8p",
    ]) {
      expect(isTranspilerName(made)).toBe(true)
    }
    for (const own of [
      "jsx",
      "jsxDEV",
      "Fragment",
      "jsx_a",
      "my_7x81h0kn",
      "__name",
      "_a_7x81h0kn",
      "jsxDEV_7x81h0kn_",
    ]) {
      expect(isTranspilerName(own)).toBe(false)
    }
  })
})

async function usesOf(text: string): Promise<readonly Outside[]> {
  const read = await readText(evaluated(text))
  return outsideOf(read.node, await scopesOf(read))
}
