import { describe, expect, test } from "bun:test"
import { symlink } from "node:fs/promises"
import { join } from "node:path"
import { codeOf } from "../../../client/code/code-of.ts"
import { moduleCode } from "../../../client/code/module-code.ts"
import { arrive } from "./arrive.ts"
import { IMPORT_FN, programFolder } from "./sent.ts"
import { at, refusalOf } from "./travelling.ts"

describe("a file with an odd path", () => {
  test.each([
    "with space",
    "hash#1",
    "quote'\"",
    "ünï 😀",
    "per%20cent",
    "(1)",
    "$&",
    "bunhouse:x",
  ])("%p is read and told as any other", async (name) => {
    await using folder = await programFolder()
    const { sent } = await folder.load(
      `${name}/main.ts`,
      `${IMPORT_FN}\nimport { b } from "./b.ts"\nexport const sent = fn(() => b())`,
      { [`${name}/b.ts`]: "export function b() { throw new Error('b') }" },
    )
    const f = await arrive((await codeOf(...at(sent))).code)
    const result: unknown = await new Promise((resolve) => resolve(Reflect.apply(f, 0, []))).catch(
      (error: Error) => error.stack,
    )
    expect(result).toContain(`${folder.path}/${name}/b.ts:1:`)
  })

  test("behind a symbolic link is the file that it leads to", async () => {
    await using folder = await programFolder()
    const text = `${IMPORT_FN}\nimport { b } from "./b.ts"\nexport const sent = fn(() => b + 1)`
    await folder.load("real/main.ts", text, { "real/b.ts": "export const b = 41" })
    await symlink(join(folder.path, "real"), join(folder.path, "link"))
    const { sent } = await import(join(folder.path, "link/main.ts"))
    const f = await arrive((await codeOf(...at(sent))).code)
    expect(Reflect.apply(f, undefined, [])).toBe(42)
  })
})

describe("a package with native code that it finds by itself", () => {
  test("travels without it, and that is told", async () => {
    await using folder = await programFolder()
    const about = [
      ["a", `{ "name": "a", "main": "main.js", "napi": {} }`],
      ["b", `{ "name": "b", "main": "main.js", "binary": {} }`],
      ["@c/c", `{ "name": "@c/c", "main": "main.js", "gypfile": true }`],
      [
        "d",
        `{ "name": "d", "main": "main.js", "gypfile": false, "optionalDependencies": { "x64-tools": "1" } }`,
      ],
      [
        "e",
        `{ "name": "e", "main": "main.js", "optionalDependencies": { "@e/e-linux-x64": "1" } }`,
      ],
    ] as const
    const files = about.flatMap(([name, text]) => [
      [`node_modules/${name}/package.json`, text],
      [`node_modules/${name}/main.js`, "exports.load = (name) => require(name)"],
    ])
    const { sent } = await folder.load(
      "main.ts",
      `${IMPORT_FN}
      import { load as a } from "a"
      import { load as b } from "b"
      import { load as c } from "@c/c"
      import { load as d } from "d"
      import { load as e } from "e"
      export const sent = fn(() => [a, b, c, d, e])`,
      Object.fromEntries(files),
    )
    const told = async (external: string[]) =>
      (await codeOf(...at(sent), { external })).notices.filter((line) => line.includes("native"))
    expect((await told([])).toSorted()).toEqual(
      ["@c/c", "a", "b", "e"].map(
        (name) =>
          `the native code of ${name} stays behind: put the package into the env's spec, packages`,
      ),
    )
    expect(await told(["a", "b", "@c/c", "e"])).toEqual([])
  })
})

describe("a package that asks for another one as it runs, which is not there,", () => {
  const files = {
    "node_modules/lib/package.json": `{ "name": "lib" }`,
    "node_modules/lib/index.js":
      "exports.one = 1; exports.driver = (name) => name === 'pg' ? require('pg') : name === 'b' ? import('@sql/b/c') : require('./d')",
  }
  const program = `${IMPORT_FN}\nimport { driver, one } from "lib"\nexport const sent = fn((name) => name === undefined ? one : driver(name))`

  test("travels as far as it can do without", async () => {
    await using folder = await programFolder()
    const found = { ...files, "node_modules/lib/d.js": "exports.d = 1" }
    const { sent } = await folder.load("main.ts", program, found)
    const f = await arrive((await codeOf(...at(sent))).code)
    expect(Reflect.apply(f, undefined, [])).toBe(1)
    expect(Reflect.apply(f, undefined, ["d"])).toEqual({ d: 1 })
    expect(() => Reflect.apply(f, undefined, ["pg"])).toThrow("Cannot find module 'pg'")
    const loading: unknown = Reflect.apply(f, undefined, ["b"])
    expect(await Promise.resolve(loading).catch(String)).toContain("Cannot find package '@sql/b'")
  })

  test("is refused where a file of its own is missing", async () => {
    expect(await refusalOf(program.slice(IMPORT_FN.length), files)).toContain(
      `Could not resolve: "./d"`,
    )
  })
})

describe("packages of the env", () => {
  test("stay imports, with all that is below them", async () => {
    await using folder = await programFolder()
    const { sent } = await folder.load(
      "main.ts",
      `${IMPORT_FN}
      import { a } from "there"
      import b from "there/sub"
      export const sent = fn(() => [a, b])`,
      {
        "node_modules/there/package.json": `{ "name": "there", "type": "module" }`,
        "node_modules/there/index.js": "export const a = 1",
        "node_modules/there/sub.js": "export default 2",
      },
    )
    const { code } = await codeOf(...at(sent), { external: ["there"] })
    expect(code).toContain(`from "there"`)
    expect(code).toContain(`from "there/sub"`)
    const own = await codeOf(...at(sent))
    expect(await Reflect.apply(await arrive(own.code), undefined, [])).toEqual([1, 2])
    await Bun.write(join(folder.path, "other.ts"), `export { a } from "there"`)
    const module = await moduleCode(join(folder.path, "other.ts"), { external: ["there"] })
    expect(module.code).toContain(`from "there"`)
  })
})
