import { describe, expect, test } from "bun:test"
import { codeOf } from "../../../client/code/code-of.ts"
import { IMPORT_FN, programFolder } from "./sent.ts"
import { at } from "./travelling.ts"

describe("what a file does with a thing that travels, after it was made,", () => {
  test.each([
    ["table.set('a', 1)", ["table"]],
    ["config.of.a = 1; config.of.b = 2", ["config"]],
    ["config.n++", ["config"]],
    ["delete config.of", ["config"]],
    ["Object.assign(config, { a: 1 })", ["config"]],
    ["helper.limit = 1", ["helper"]],
    [
      "for (const a of [1]) { table.set(a, 1) } if (config.n) Thing.prototype.x = 1",
      ["table", "Thing"],
    ],
    ["const size = table.size; use(config, helper, Object.keys(other))", []],
    ["function later() { table.clear() } other.a = 1; [1].map((a) => table.set(a, 1))", []],
    ["const read = JSON.stringify(config), made = new Thing(), size = table.get(1)", []],
  ])("%s, is told: %p", async (statements, names) => {
    const program = `
      const table: any = new Map(), config: any = { n: 0, of: {} }, other: any = {}
      function helper(): any { return 1 }
      function use(..._: unknown[]) {}
      class Thing { [x: string]: unknown }
      export const sent = fn(() => [table, config, helper, Thing]); ${statements}
      use(other, globalThis.process.title)`
    expect(await toldOf(program)).toEqual(expected(names, "a.ts:6"))
  })
})

describe("what a file does with a module that travels", () => {
  const package_ = {
    "node_modules/lib/package.json": `{ "name": "lib", "type": "module" }`,
    "node_modules/lib/index.js":
      "export const set = { extend() {} }, enable = () => {}, options = {}",
    "node_modules/lib/set-up.js": "",
    "other.ts": "export const other = () => other, another = () => 1",
  }

  test.each([
    ["set.extend()", ["set"]],
    ["await set.extend()", ["set"]],
    ["enable()", ["enable"]],
    ["options.zone = 'utc'", ["options"]],
    ["another()", ["another"]],
    [`import "lib/set-up.js"`, [`"lib/set-up.js"`]],
    [`import type {} from "./other.ts"`, []],
    ["String(set.extend()); void (() => enable()); statSync('/'); new Other()", []],
  ])("%s, is told: %p", async (statements, names) => {
    const program = `
      import { set, enable, options } from "lib"; import { other, another } from "./other.ts"
      import { existsSync, statSync } from "node:fs"; class Other {}
      export const sent = fn(() => [set, other, existsSync])
      ${statements}
      ;[enable, options, another, statSync, Other]`
    expect(await toldOf(program, package_)).toEqual(expected(names, "a.ts:5"))
  })

  test("is not told of a function that imports nothing", async () => {
    expect(await toldOf(`import "./other.ts"; export const sent = fn(() => 1)`, package_)).toEqual(
      [],
    )
  })
})

/** What is told of `sent` of a program that it leaves behind. */
async function toldOf(
  program: string,
  files: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  await using folder = await programFolder()
  const { sent } = await folder.load("a.ts", `${IMPORT_FN}${program}`, files)
  const { notices } = await codeOf(...at(sent))
  const told = notices.filter((line) => line.includes("does not travel"))
  return told.map((line) => line.replaceAll(`${folder.path}/`, ""))
}

function expected(names: readonly string[], place: string): readonly string[] {
  const list = names.map((name) => `${name} (${place})`).join(", ")
  const mend = "do it in the function, or send the file with module(…)"
  return names.length === 0 ? [] : [`what the file does with ${list} does not travel: ${mend}`]
}
