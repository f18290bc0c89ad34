import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { codeOf } from "../../../client/code/code-of.ts"
import { moduleCode } from "../../../client/code/module-code.ts"
import { arrive } from "./arrive.ts"
import { IMPORT_FN, type Sent, programFolder } from "./sent.ts"

type Files = Readonly<Record<string, string>>

/** What arrives of `sent` of a program, and what it gives. */
async function resultOf(program: string, files: Files = {}, external: string[] = []) {
  await using folder = await programFolder()
  const { sent } = await folder.load("main.ts", `${IMPORT_FN}\n${program}`, files)
  const { code } = await codeOf(...at(sent), { external })
  return await Reflect.apply(await arrive(code), undefined, [])
}

/** Why `sent` is refused. `change` is done to the files after they were loaded. */
async function refusalOf(program: string, files: Files = {}, change: Files = {}): Promise<string> {
  await using folder = await programFolder()
  const { sent } = await folder.load("main.ts", `${IMPORT_FN}\n${program}`, files)
  for (const [name, text] of Object.entries(change)) await Bun.write(join(folder.path, name), text)
  const error: unknown = await codeOf(...at(sent)).then(
    () => "it travels",
    (thrown: unknown) => thrown,
  )
  expect(error).toMatchObject({ code: "FUNCTION_NOT_SENDABLE", ran: "no" })
  return String(error).replaceAll(`${folder.path}/`, "")
}

function at(sent: Sent | undefined): [Sent["f"], Sent["site"]] {
  if (sent === undefined) throw new Error("nothing was sent")
  return [sent.f, sent.site]
}

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

  test("JSON, text, packages and what tsconfig.json calls by other names", async () => {
    const files = {
      "data.json": `{ "n": 40 }`,
      "note.txt": "noted",
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
      import { a } from "@lib/a.ts"
      import esm from "esm/sub"
      import { n, path } from "cjs"
      import * as os from "node:os"
      import { Database } from "bun:sqlite"
      export const sent = fn(() => [data.n, note, a, esm, n, path, os.EOL, typeof Database])`
    expect(await resultOf(program, files)).toEqual([40, "noted", 1, 1, 2, "/", "\n", "function"])
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
    const program = (n: number) => `const x = ${n}; export const sent = fn(() => x + ${n})`
    const changed = { "main.ts": `${IMPORT_FN}\n${program(2)}` }
    expect(await refusalOf(program(1), {}, changed)).toContain("was changed since it was loaded")
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

  test("a file that no module can hold", async () => {
    const program = `import image from "./a.png"\nexport const sent = fn(() => image)`
    expect(await refusalOf(program, { "a.png": "no image" })).toContain(
      "is a file that no module can hold",
    )
  })

  test("a function that is a part of what it needs", async () => {
    const program = `const made = make(function f() { return made })
      function make(f: () => unknown) { return { f, sent: fn(f) } }
      export const { sent } = made`
    expect(await refusalOf(program)).toContain("declared outside of the function")
    const direct = `export const sent = fn(function f() { return sent })`
    expect(await refusalOf(direct)).toContain(
      "it needs the statement that it is a part of (main.ts:2), which would run again",
    )
  })

  test("a module's name that is made while it runs", async () => {
    const program = "export const sent = fn((x: string) => import(`./jobs/${x}.ts`))"
    expect(await refusalOf(program)).toContain(
      `"./jobs/" (main.ts:2), the beginning of a module's name that is not known before it runs`,
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
