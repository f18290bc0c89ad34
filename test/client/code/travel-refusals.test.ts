import { describe, expect, test } from "bun:test"
import { IMPORT_FN } from "./sent.ts"
import { refusalOf, resultOf } from "./travelling.ts"

describe("circles of imports", () => {
  test.each([
    [`import { base } from "./main.ts"; export const b = () => base.of`, "a constant"],
    [`import * as main from "./main.ts"; export const b = () => main.base.of`, "the namespace"],
    [`import { renamed } from "./main.ts"; export const b = () => renamed.of`, "an alias"],
    [`import own from "./main.ts"; export const b = () => own()`, "the default"],
    [`import { c } from "./c.ts"; export const b = () => c()`, "a constant, over a third file"],
    [`export { bb as b } from "./main.ts"`, "a function, re-exported"],
    [`export * from "./main.ts"; export const b = () => 1`, "everything, re-exported"],
  ])("keep what %s takes of the file", async (b) => {
    const files = {
      "b.ts": b,
      "c.ts": `import { base } from "./main.ts"; export function c() { return base.of }`,
    }
    const program = `
      import { b } from "./b.ts"
      export const base = { of: 1 }
      export { base as renamed }
      export function bb() { return base.of }
      export default function () { return base.of }
      globalThis.__loads = (globalThis.__loads ?? 0) + 1
      export const sent = fn(() => [b(), base.of])`
    expect(await resultOf(program.replace(/\n.*__loads.*/, ""), files)).toEqual([1, 1])
  })

  test("share one module with the function", async () => {
    const files = {
      "b.ts": `import { Shared } from "./main.ts"; export const b = () => new Shared()`,
    }
    const program = `
      import { b } from "./b.ts"
      export class Shared {}
      export const sent = fn(() => b() instanceof Shared)`
    expect(await resultOf(program, files)).toBe(true)
  })

  test("are refused where they take what cannot travel", async () => {
    const files = {
      "b.ts": `import { count } from "./main.ts"; export const b = () => count`,
    }
    const program = `
      import { b } from "./b.ts"
      export let count = 0
      export const next = () => ++count
      export const sent = fn(() => b())`
    expect(await refusalOf(program, files)).toContain("count (main.ts:4), a variable of line 4")
  })
})

describe("refused before it is sent:", () => {
  test("an import that is not there, with its file and line", async () => {
    const program = `import { b } from "./b.ts"\nexport const sent = fn(() => b())`
    const files = { "b.ts": "export const b = () => 1" }
    for (const [change, said] of [
      [{ "b.ts": `\nimport "./gone.ts"; export const b = () => 1` }, /gone\.ts.*\(b\.ts:2\)/],
      [
        { "b.ts": `import { x } from "no-such-package"; export const b = x` },
        /no-such-package.*\(b\.ts:1\)/,
      ],
      [{ "b.ts": "export const c = () => 1" }, /No matching export.*"b".*\(main\.ts:2\)/],
      [{ "b.ts": "export const b = () => {" }, /\(b\.ts:1\)/],
    ] as const) {
      expect(await refusalOf(program, files, change)).toMatch(said)
    }
  })

  test("a function whose file was changed since it was loaded", async () => {
    const program = "const x = 1; export const sent = fn(() => x + 1)"
    const changed = { "main.ts": `${IMPORT_FN}\n${program.replaceAll("1", "2")}` }
    expect(await refusalOf(program, {}, changed)).toContain("was changed since it was loaded")
  })

  test("a native addon, with the package that it belongs to", async () => {
    const files = {
      "node_modules/@own/native/package.json": `{ "name": "@own/native", "main": "main.js" }`,
      "node_modules/@own/native/main.js":
        "module.exports = typeof Bun === 'object' ? 1 : require('./build/x.node')",
      "node_modules/@own/native/build/x.node": "no program",
    }
    const program = `import native from "@own/native"; export const sent = fn(() => native)`
    expect(await refusalOf(program, files)).toMatch(
      /@own\/native has a native addon \(.*x\.node\): put the package into the env's spec, packages/,
    )
  })

  test("what asks where it stands, where that is another file than it was", async () => {
    const program = `import { b } from "./b.ts"\nexport const sent = fn(() => b())`
    const ask = {
      "b.ts": "export const a = import.meta.url\nexport const b = () => import.meta.dir",
    }
    expect(await refusalOf(program, ask)).toContain(
      "import.meta.dir (b.ts:2), which tells of the file that it stands in",
    )
    const fine = {
      "b.ts":
        "export const a = import.meta.url\nexport const b = () => [import.meta.main, typeof import.meta.env.PATH, __filename.endsWith('b.ts')]",
    }
    expect(await resultOf(program, fine)).toEqual([false, "string", true])
  })

  test.each([
    ["an image", "a.png", ""],
    ["a page", "a.html", ""],
    ["WebAssembly", "a.wasm", ""],
    ["what is meant as a file", "a-12345678.txt", `with { type: "file" }`],
    ["a database", "a.sqlite", `with { type: "sqlite" }`],
  ])("a file that no module can hold: %s", async (_, name, how) => {
    const program = `import file from "./${name}" ${how}\nexport const sent = fn(() => file)`
    const text = name.endsWith(".sqlite") ? "" : "<p>text</p>"
    expect(await refusalOf(program, { [name]: text })).toContain(
      `\n  ${name} is a file that no module can hold: pass what is in it`,
    )
  })

  test("a function that is a part of what it needs", async () => {
    const program = `const made = make(function f() { return made })
      function make(f: () => unknown) { return { f, sent: fn(f) } }
      export const { sent } = made`
    const direct = `export const sent = fn(function f() { return sent })`
    for (const one of [program, direct]) {
      expect(await refusalOf(one)).toContain(
        "it needs the statement that it is a part of (main.ts:2), which would run again",
      )
    }
  })

  test("a module's name that is made while it runs", async () => {
    const program = "export const sent = fn((x: string) => import(`./jobs/${x}.ts`))"
    expect(await refusalOf(program)).toContain(
      `"./jobs/" (main.ts:2), the beginning of a module's name that is not known before it runs`,
    )
  })
})
