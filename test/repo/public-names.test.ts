import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { parseSync } from "oxc-parser"
import * as library from "../../client/index.ts"

/** docs/api.md is the list of what is public; client/index.ts is what really is. */
const root = join(import.meta.dir, "../..")
const document = await Bun.file(join(root, "docs/api.md")).text()
const source = await Bun.file(join(root, "client/index.ts")).text()

/** The names in the first column of the table under a heading. */
function documented(heading: string): string[] {
  const [, section = ""] = document.split(`\n## ${heading}\n`)
  const [table = ""] = section.split("\n## ")
  return [...table.matchAll(/^\| `(\w+)` /gm)].map(([, name = ""]) => name).toSorted()
}

/** The names that a module exports, from its text: types leave no trace at run time. */
function exported(text: string): { values: string[]; types: string[] } {
  const { module } = parseSync("index.ts", text)
  const entries = module.staticExports.flatMap((statement) => statement.entries)
  const named = (isType: boolean) =>
    entries
      .filter((entry) => entry.isType === isType)
      .map(({ exportName }) => exportName.name ?? exportName.kind)
      .toSorted()
  return { values: named(false), types: named(true) }
}

describe("docs/api.md", () => {
  test("lists the values that the library has at run time, and no other", () => {
    expect(Object.keys(library).toSorted()).toEqual(documented("Values"))
    expect(exported(source).values).toEqual(documented("Values"))
  })

  test("lists the types that the library exports, and no other", () => {
    expect(exported(source).types).toEqual(documented("Types"))
  })

  test("would be compared with every form of export", () => {
    const text = `export const a = 1
      export function b() {}
      export class C {}
      export interface D {}
      export type E = 1
      export { f, type G } from "x"
      export type { H as I } from "x"
      export * from "x"
      export default 1`
    expect(exported(text)).toEqual({
      values: ["C", "Default", "None", "a", "b", "f"],
      types: ["D", "E", "G", "I"],
    })
  })
})
