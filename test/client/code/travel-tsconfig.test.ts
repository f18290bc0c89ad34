import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { IMPORT_FN, programFolder } from "./sent.ts"

const BOX = `
  const Box = ({ size }: { size: number }) => "box" + size
  export const sent = fn(() => <><Box size={2}/><b>x</b></>)`
const RUNTIME = `
  export const jsx = (type, props) => [typeof type === "string" ? type : type(props), props.children]
  export { jsx as jsxs }
  export const Fragment = () => "f"`
/** As that of React in production, the one of development has no element. */
const RUNTIMES = {
  "node_modules/mine/package.json": `{ "name": "mine", "type": "module" }`,
  "node_modules/mine/jsx-runtime.js": RUNTIME,
  "node_modules/mine/jsx-dev-runtime.js": `${RUNTIME}\nexport const jsxDEV = globalThis.process.env.IS_SENT ? undefined : jsx`,
  "node_modules/base/package.json": `{ "name": "base" }`,
  "node_modules/base/tsconfig.json": options({ jsx: "react-jsx", jsxImportSource: "mine" }),
  "react.ts": `const make = (type: any, props: any, ...more: any[]) => [typeof type === "string" ? type : type(props), more]
    export default { createElement: make, Fragment: () => "f" }
    export { make as h }
    export const Fragment = () => "g"`,
}
const IMPORT_REACT = `import React from "./react.ts"; import { h, Fragment } from "./react.ts";`

describe("JSX travels as the tsconfig has Bun read it:", () => {
  test.each([
    ["nothing said of it", {}, BOX, "/** @jsxImportSource mine */"],
    ["react-jsx", { jsx: "react-jsx", jsxImportSource: "mine" }, BOX, ""],
    ["react-jsxdev", { jsx: "react-jsxdev", jsxImportSource: "mine" }, BOX, ""],
    ["react", { jsx: "react" }, IMPORT_REACT + BOX, ""],
    [
      "a factory",
      { jsx: "react", jsxFactory: "h", jsxFragmentFactory: "Fragment" },
      IMPORT_REACT + BOX,
      "",
    ],
    [
      "a factory that is a member",
      { jsx: "react", jsxFactory: "Html.createElement", jsxFragmentFactory: "Html.Fragment" },
      `import Html from "./react.ts"; ${BOX}`,
      "",
    ],
    [
      "a factory that the file names",
      {},
      IMPORT_REACT + BOX,
      "/** @jsxRuntime classic */ /** @jsx h */\n/* @jsxFrag Fragment */",
    ],
  ])("%s", async (_, compilerOptions, program, head) => {
    await expectAlike(program, { ...RUNTIMES, "tsconfig.json": options(compilerOptions) }, head)
  })

  test("in a function that came in a variable, and is found by its text", async () => {
    const files = {
      ...RUNTIMES,
      "boxes.tsx": `/** @jsxImportSource mine */\n${BOX.replace("fn(", "(")}\nexport const x = () => <b>x</b>`,
    }
    const program = `import * as boxes from "./boxes.tsx"
      export const sent = fn(Object.values(boxes)[N])`
    await expectAlike(program.replace("N", "0"), files)
    await expectAlike(program.replace("N", "1"), files)
  })

  test.each([
    ["tsconfig.json", { "tsconfig.json": `{ "extends": "./base.json" }` }],
    ["a package's", { "tsconfig.json": `{ "extends": "base/tsconfig.json" }` }],
    ["jsconfig.json", { "jsconfig.json": options({ jsx: "react-jsx", jsxImportSource: "mine" }) }],
  ])("from another file: %s", async (_, files) => {
    const base = `{ /* a comment */ "compilerOptions": { "jsx": "react-jsx", "jsxImportSource": "mine", }, }`
    const pragma = "/** @jsxImportSource mine */"
    await expectAlike(BOX, { ...RUNTIMES, "base.json": base, ...files }, pragma)
  })
})

test.each(["react-jsx", "react-jsxdev"])("%s that came in a variable", async (jsx) => {
  const program = `const one = Number(1)\nconst all = [() => <b>{one}</b>]\nconst [sent] = all.map((f) => fn(f))`
  const tsconfig = options({ jsx, jsxImportSource: "mine" })
  await expectAlike(program, { ...RUNTIMES, "tsconfig.json": tsconfig })
})

describe("classes travel as the tsconfig has Bun read them:", () => {
  const decorated = `
    const seen: string[] = []
    const traced = (_: object, key: string, of: PropertyDescriptor) => ({ ...of, value: () => ["traced", key] })
    const named = (_: object, key: string, i: number) => void seen.push(key + i)
    class Box {
      size = 1
      constructor(readonly more = 2) {}
      @traced wide(@named n: number) { return n }
    }
    export const sent = fn(() => [new Box().wide(1), Object.keys(new Box()), seen])`
  const fields = `
    class Base { set size(size: number) { this.set = size } set = 0 }
    class Box extends Base { size = 1; declare more: number }
    export const sent = fn(() => [new Box().set, Object.keys(new Box())])
    export const box = fn(Box as never)`

  test.each([
    ["experimentalDecorators", { experimentalDecorators: true }, decorated],
    [
      "emitDecoratorMetadata",
      { experimentalDecorators: true, emitDecoratorMetadata: true },
      decorated,
    ],
    ["fields that are defined", { useDefineForClassFields: true }, fields],
    ["fields that are assigned", { useDefineForClassFields: false }, fields],
  ])("%s", async (_, compilerOptions, program) => {
    await expectAlike(program, { "tsconfig.json": options(compilerOptions) })
  })

  test("a class of its own, which is found by its text", async () => {
    const program = `
      const log: string[] = []
      const traced = (_: object, key: string) => void log.push(key)
      class Box { size = log.length; @traced wide() { return log } }
      export const sent = fn(Box as never)`
    const files = { "tsconfig.json": options({ experimentalDecorators: true }) }
    await expectAlike(program, files, "", "(C) => new C().wide()")
  })
})

test("a class with decorators that came in a variable", async () => {
  const program = `
    const doubled = (f: (n: number) => number, _: unknown) => (n: number) => f(n) * 2
    class Base {}
    class Box extends Base { @doubled wide(n: number) { return n } }
    const [sent] = [Box].map((C) => fn(C as never))`
  await expectAlike(program, {}, "", "(C) => new C().wide(1)")
})

test("a tsconfig that cannot be read is as good as none", async () => {
  const files = { "tsconfig.json": `{ "extends": "./tsconfig.json", "compilerOptions": 1 }` }
  await expectAlike("const one = 1; export const sent = fn(() => one)", files)
})

/** What was sent gives there what it gives here, in a program that is started where its tsconfig is. */
async function expectAlike(
  program: string,
  files: Readonly<Record<string, string>>,
  head = "",
  use = "(f) => f()",
): Promise<void> {
  await using folder = await programFolder()
  const text = `${head}\n${IMPORT_FN} import { printBoth } from ${JSON.stringify(ALIKE)}\n${program}\nawait printBoth(sent, ${use})`
  for (const [name, content] of Object.entries({ ...files, "main.tsx": text })) {
    await Bun.write(join(folder.path, name), content)
  }
  const { stdout, stderr } = Bun.spawnSync([process.execPath, "main.tsx"], { cwd: folder.path })
  expect(stderr.toString()).toBe("")
  const { here, there } = JSON.parse(stdout.toString())
  expect(there).toEqual(here)
  expect(here).toBeDefined()
}

const ALIKE = join(import.meta.dir, "fixtures/alike.ts")

function options(compilerOptions: object): string {
  return JSON.stringify({ compilerOptions })
}
