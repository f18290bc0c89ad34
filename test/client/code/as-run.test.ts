import { describe, expect, test } from "bun:test"
import { mkdir, symlink } from "node:fs/promises"
import { join } from "node:path"
import { resolvedAsRun } from "../../../client/code/as-run.ts"
import { IMPORT_FN, programFolder } from "./sent.ts"
import { resultOf } from "./travelling.ts"

const ALIKE = JSON.stringify(join(import.meta.dir, "fixtures/alike.ts"))
const PACKAGES = {
  "node_modules/staged/package.json": JSON.stringify({
    name: "staged",
    exports: {
      ".": { development: "./development.js", custom: "./custom.js", default: "./run.js" },
      "./both": { require: "./required.cjs", default: "./run.js" },
    },
  }),
  "node_modules/staged/development.js": `export const from = "development"`,
  "node_modules/staged/custom.js": `export const from = "custom"`,
  "node_modules/staged/run.js": `export const from = "run"`,
  "node_modules/staged/required.cjs": `exports.from = "required"`,
  "node_modules/fields/package.json": `{ "name": "fields", "main": "./main.cjs", "module": "./module.js" }`,
  "node_modules/fields/main.cjs": `exports.from = "main"`,
  "node_modules/fields/module.js": `export const from = "module"`,
  "node_modules/broken/package.json": "{",
  "node_modules/broken/index.js": "",
  "node_modules/plain/package.json": `{ "name": "plain", "type": "module", "exports": "./index.js" }`,
  "node_modules/plain/index.js": `export * from "staged"`,
}

describe("packages travel as the run has them:", () => {
  test.each([
    [`import { from } from "staged"; export const sent = fn(() => from)`, "run"],
    [`import { from } from "plain"; export const sent = fn(() => from)`, "run"],
    [`import { from } from "fields"; export const sent = fn(() => from)`, "main"],
    [`export const sent = fn(async () => (await import("fields")).from)`, "main"],
    [`export const sent = fn(() => require("staged").from)`, "run"],
    [`export const sent = fn(() => require("staged/both").from)`, "required"],
  ])("%s", async (program, from) => {
    expect(await resultOf(program, PACKAGES)).toBe(from)
  })

  test("those of the env stay imports", async () => {
    const program = `import { from } from "staged"; export const sent = fn(() => from)`
    const refusal: unknown = await resultOf(program, PACKAGES, ["staged"]).catch(String)
    expect(refusal).toContain("staged")
  })

  test("with conditions of its own", async () => {
    await using folder = await programFolder()
    const program = `${IMPORT_FN} import { printBoth } from ${ALIKE}; import { from } from "staged"
      await printBoth(fn(() => from))`
    for (const [name, text] of Object.entries({ ...PACKAGES, "main.ts": program })) {
      await Bun.write(join(folder.path, name), text)
    }
    const { stdout } = Bun.spawnSync(
      [process.execPath, "--conditions=custom", join(folder.path, "main.ts")],
      { cwd: folder.path },
    )
    expect(JSON.parse(stdout.toString())).toEqual({ here: "custom", there: "custom" })
  })
})

// As `bun init` writes it.
const OF_INIT = `{ "name": "work", "module": "index.ts", "type": "module" }`
const BY_CONDITION = `{ "name": "work", "exports": { "source": "./index.ts", "default": "./none.js" } }`

test.each([
  ["a package of a workspace", "work", OF_INIT, []],
  ["one that has a condition", "work", BY_CONDITION, ["--conditions=source"]],
  ["a path of the tsconfig", "~/index", OF_INIT, []],
])("%s travels as its tsconfig has Bun read it", async (_, name, about, flags) => {
  await using folder = await programFolder()
  const files = {
    "work/package.json": about,
    "work/tsconfig.json": `{ "compilerOptions": { "useDefineForClassFields": false, "paths": { "~/*": ["./*"] } } }`,
    "work/index.ts": `class Base { set n(n: number) { this.set = n } set = 0 } class Box extends Base { n = 1 }
      export const size = () => new Box().set`,
    "work/main.ts": `${IMPORT_FN} import { printBoth } from ${ALIKE}; import { size } from "${name}"
      await printBoth(fn(() => size()))`,
  }
  for (const [path, text] of Object.entries(files)) await Bun.write(join(folder.path, path), text)
  await mkdir(join(folder.path, "node_modules"))
  await symlink("../work", join(folder.path, "node_modules/work"))
  const { stdout } = Bun.spawnSync([process.execPath, ...flags, "main.ts"], {
    cwd: join(folder.path, "work"),
  })
  expect(JSON.parse(stdout.toString())).toEqual({ here: 1, there: 1 })
})

describe("resolvedAsRun()", () => {
  test("leaves to the bundler what it takes alike, what is built in and what is not there", async () => {
    await using folder = await programFolder()
    for (const [name, text] of Object.entries(PACKAGES))
      await Bun.write(join(folder.path, name), text)
    const importer = join(folder.path, "main.ts")
    for (const isRequired of [false, true]) {
      for (const name of ["plain", "broken", "fs", "node:fs", "bun:sqlite", "missing"]) {
        expect(resolvedAsRun(name, importer, isRequired)).toBeUndefined()
      }
      expect(resolvedAsRun("fields", importer, isRequired)).toBe(
        join(folder.path, "node_modules/fields/main.cjs"),
      )
    }
  })
})
