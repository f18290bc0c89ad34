import { describe, expect, test } from "bun:test"
import { codeOf } from "../../../client/code/code-of.ts"
import { arrive } from "./arrive.ts"
import { IMPORT_FN, programFolder } from "./sent.ts"
import { at, refusalOf, resultOf } from "./travelling.ts"

describe("what travels:", () => {
  test.each([
    ["import { f } from './b'; export const sent = fn(f)", "a named import"],
    ["import { f as g } from './b.ts'; export const sent = fn(g)", "a renamed import"],
    ["import f from './b.ts'; export const sent = fn(f)", "a default import"],
    ["import * as b from './b.ts'; export const sent = fn(b.f)", "a member of a namespace"],
    [
      "import * as b from './b.ts'; export const sent = fn(b.default)",
      "the default of a namespace",
    ],
    ["import { g } from './barrel.ts'; export const sent = fn(g)", "a re-export"],
    ["import { f } from './barrel.ts'; export const sent = fn(f)", "a re-export of all"],
    ["import { b } from './barrel.ts'; export const sent = fn(b.f)", "a re-exported namespace"],
    ["import barrel from './barrel.ts'; export const sent = fn(barrel)", "a re-exported default"],
    [
      "import { jobs } from './b.ts'; export const sent = fn(jobs.own)",
      "a method of an imported object",
    ],
    ["import { Jobs } from './b.ts'; export const sent = fn(Jobs.own)", "a static method"],
    [
      "import { Jobs } from './b.ts'; export const sent = fn(new Jobs().far)",
      "a method of an instance",
    ],
    ["const b = await import('./b.ts'); export const sent = fn(b.f)", "a dynamic import"],
    [
      "const { f: g } = await import('./b.ts'); export const sent = fn(g)",
      "a part of a dynamic import",
    ],
    ["import { f } from './b'; const g = f; export const sent = fn(() => g())", "what is called"],
  ])("%s", async (program) => {
    const files = {
      "b.ts": `import { c } from "./c.ts"
        const one = 1
        export function f(): number { return c + one }
        export default f
        export const jobs = { own() { return jobs.plus + c }, plus: 1 }
        export class Jobs { static own() { return Jobs.#plus + c } static #plus = 1; far() { return c + one } }`,
      "c.ts": "export const c: number = 41",
      "barrel.ts": `export { f as g, default } from "./b.ts"; export * from "./b.ts"; export * as b from "./b.ts"`,
    }
    if (program.includes("Jobs.own")) {
      // It uses #plus, which exists only in its class.
      expect(await refusalOf(program, files)).toContain("#plus")
    } else expect(await resultOf(program, files)).toBe(42)
  })

  test("what macros made while the file was read", async () => {
    const files = { "macro.ts": "export const made = () => 40 + 2" }
    const program = `import { made } from "./macro.ts" with { type: "macro" }
      const one = Number(made())
      export const sent = fn(() => [made(), one])`
    expect(await resultOf(program, files)).toEqual([42, 42])
  })

  test("JSON, text, style sheets (as nothing), packages and what tsconfig.json calls by other names", async () => {
    const files = {
      "data.json": `{ "n": 40 }`,
      "note.txt": "noted",
      "note.css": "p { color: red }",
      "tsconfig.json": `{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }`,
      "lib/a.ts": "export const a = 1",
      "node_modules/esm/package.json": `{ "name": "esm", "type": "module", "exports": { "./sub": "./sub.js" } }`,
      "node_modules/esm/sub.js": "export default 1",
      "node_modules/cjs/package.json": `{ "name": "cjs", "main": "main.js" }`,
      "node_modules/cjs/main.js": "exports.path = require('path').sep; exports.n = 2",
    }
    const program = `
      import data from "./data.json"
      import note from "./note.txt" with { type: "text" }
      import style from "./note.css"
      import "./note.css"
      import { a } from "@lib/a.ts"
      import esm from "esm/sub"
      import { n, path } from "cjs"
      import * as os from "node:os"
      import { Database } from "bun:sqlite"
      export const sent = fn(() => [data.n, note, style, a, esm, n, path, os.EOL, typeof Database])`
    expect(await resultOf(program, files)).toEqual([
      40,
      "noted",
      {},
      1,
      1,
      2,
      "/",
      "\n",
      "function",
    ])
  })

  test("what import() and require() name, and leaves to the env what is not here", async () => {
    const files = {
      "b.ts": "export const b = 1",
      "node_modules/cjs/package.json": `{ "name": "cjs", "main": "main.js" }`,
      "node_modules/cjs/main.js": "exports.n = 2",
    }
    const program = `export const sent = fn(async () => [
      (await import("./b.ts")).b,
      require("./b").b,
      (await import("cjs")).n,
      await import("only-there").catch(() => "not here"),
    ])`
    expect(await resultOf(program, files)).toEqual([1, 1, 2, "not here"])
  })

  test("enums, namespaces, decorators, overloads and accessors", async () => {
    const program = `
      enum Unit { Metre = "m", Mile = "mi" }
      const enum Small { One = 1 }
      enum Computed { A = Date.length, B = A + 1 }
      namespace Space { export const x = Unit.Mile }
      function twice(value: (n: number) => number, _: unknown) { return function (this: Box, n: number) { return 2 * value.call(this, n) } }
      function over(a: string): string
      function over(a: number): number
      function over(a: any) { return a }
      class Box { accessor width = 1; @twice wide(n: number) { return n * this.width } }
      export const sent = fn(() => [Unit.Metre, Small.One, Computed.B, Space.x, new Box().wide(2), over(1), Object.keys(Unit)])`
    expect(await resultOf(program)).toEqual(["m", 1, 8, "mi", 4, 1, ["Metre", "Mile"]])
  })

  test("JSX, with the runtime that the file asks for", async () => {
    await using folder = await programFolder()
    const runtime =
      "export const jsx = (type, props) => [typeof type === 'string' ? type : type(props), props.children]; export { jsx as jsxs, jsx as jsxDEV }; export const Fragment = () => 'f'"
    const { sent } = await folder.load(
      "main.tsx",
      `/** @jsxImportSource mine */\n${IMPORT_FN}
      const Box = ({ size }: { size: number }) => "box" + size
      export const sent = fn(() => <><Box size={2}/><b>x</b></>)`,
      {
        "node_modules/mine/package.json": `{ "name": "mine", "type": "module" }`,
        "node_modules/mine/jsx-runtime.js": runtime,
        "node_modules/mine/jsx-dev-runtime.js": runtime,
      },
    )
    const { code } = await codeOf(...at(sent))
    expect(await Reflect.apply(await arrive(code), undefined, [])).toEqual(
      Reflect.apply(at(sent)[0], undefined, []),
    )
  })

  test("names that are those of globals, each with its own meaning", async () => {
    const files = {
      "b.ts": "export const b = () => [typeof fetch, fetch.name, name]; const name = 'b'",
    }
    const program = `
      import { b } from "./b.ts"
      function fetch() { return "mine" }
      class Map { get size() { return "my size" } }
      const name = "a", process = { pid: "mine" }, exports = 1
      export const sent = fn(function Object() { return [fetch(), new Map().size, name, process.pid, exports, b()] })`
    expect(await resultOf(program, files)).toEqual([
      "mine",
      "my size",
      "a",
      "mine",
      1,
      ["function", "fetch", "b"],
    ])
  })

  test("constants of a function around it, where their values stand in the text", async () => {
    const program = `function main() {
        const a = 60 * 1_000, b = \`\${"x"}y\` as const, c = -1n, d = "never"
        const Local = class { static of = [a, b] }
        return [fn(() => [a, b, c, { a }]), Local.of]
      }
      export const [sent] = main()`
    expect(await resultOf(program)).toEqual([60_000, "xy", -1n, { a: 60_000 }])
  })

  test("top-level await, and code that was minified or keeps names by __name", async () => {
    const files = {
      "b.js":
        'var e=Object.defineProperty;var __name=(t,a)=>e(t,"name",{value:a,configurable:!0});var r=1,o=__name(async t=>t+r,"add"),n=await o(1);export{o as add,n as two};',
    }
    const program = `import { add, two } from "./b.js"; export const sent = fn(add)
      export const other = two`
    await using folder = await programFolder()
    const { sent } = await folder.load("main.ts", `${IMPORT_FN}\n${program}`, files)
    const f = await arrive((await codeOf(...at(sent))).code)
    expect([f.name, await Reflect.apply(f, undefined, [1])]).toEqual(["add", 2])
    const waits = `import { two } from "./b.js"; const three = await Promise.resolve(two + 1)
      export const sent = fn(() => three)`
    expect(await resultOf(waits, files)).toBe(3)
  })
})

describe("a default export without a name travels:", () => {
  test.each([
    "function (by = 1) { return [one + by] }",
    "function <T extends (a: () => void) => void>(by = 1) { return [one + by] }",
    "async function (by = 1) { return [one + by] }",
    "function* () { yield one + 1 }",
    "async function * () { yield one + 1 }",
    "(by = 1) => [one + by]",
  ])("%s", async (text) => {
    const files = {
      "odd-name.1.ts": `const one = 41\nexport const two = one\nexport default ${text}`,
    }
    const program = `import f from "./odd-name.1.ts"\nexport const sent = fn(f)`
    expect(await Array.fromAsync(await resultOf(program, files))).toEqual([42])
    const inVariable = `import f from "./odd-name.1.ts"\nexport const [sent] = [f].map((g) => fn(g))`
    expect(await Array.fromAsync(await resultOf(inVariable, files))).toEqual([42])
  })
})

describe("a function that came in a variable", () => {
  test("is found by its text in the files that are loaded, where it is the only one", async () => {
    const files = {
      "send.ts": `${IMPORT_FN}
        export function send(f: () => unknown) { return fn(f) }
        export const sendAll = (all: (() => unknown)[]) => all.map((f) => fn(f))`,
      "b.ts": "import { c } from './c.ts'; export const b = () => c + 1",
      "c.ts": "export const c = 41",
    }
    const twin = "import { d as c } from './c2.ts'; export const b = () => c + 1"
    const program = `import { send, sendAll } from "./send.ts"
      import { b } from "./b.ts"
      export const sent = send(b)
      export const [all] = sendAll([b])
      export const [of] = [b].map((f) => fn(f))
      export const [loads] = sendAll([async () => (await import("./c.ts")).c + 1])`
    await using folder = await programFolder()
    const { sent, all, of, loads } = await folder.load("main.ts", `${IMPORT_FN}\n${program}`, files)
    for (const one of [sent, all, of, loads]) {
      const { code } = await codeOf(...at(one))
      expect(await Reflect.apply(await arrive(code), undefined, [])).toBe(42)
    }
    // Another function with the same text, which means something else.
    await folder.load("twin.ts", twin, { "c2.ts": "export const d = 0" })
    const again = { f: at(all)[0], site: { file: import.meta.path, line: 1, column: 1 } }
    const refused = codeOf(again.f, again.site).catch((error: unknown) => error)
    expect(await refused).toMatchObject({ code: "FUNCTION_NOT_SENDABLE" })
    expect(String(await refused)).toContain("cannot be told from another with the same text")
  })

  test.each([
    ["const all = [() => a + 1, () => a + 1]", 42],
    ["const all = [() => a + 1, ((a) => () => a + 1)(1)]", undefined],
  ])("is one of several in a file that mean the same: %s", async (text, result) => {
    const program = `const a = Number("41"); ${text}; export const [sent] = all.map((f) => fn(f))`
    if (result === undefined)
      expect(await refusalOf(program)).toContain("cannot be told from another with the same text")
    else expect(await resultOf(program)).toBe(result)
  })
})
