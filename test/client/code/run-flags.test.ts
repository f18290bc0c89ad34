import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { flagsOf } from "../../../client/code/run-flags.ts"
import { IMPORT_FN, programFolder } from "./sent.ts"

const BUNFIG = `
  jsx = "react"
  jsxFactory = "h"
  [define]
  SIZE = "5"
  "process.env.MODE" = "'fast'"`

describe("flagsOf()", () => {
  test.each<[readonly string[], Readonly<Record<string, string>>]>([
    [[], {}],
    [
      ["--define", "A=1", "-d", 'B:"x=y"', "--define=C:[1]", "-dD=2"],
      { A: "1", B: '"x=y"', C: "[1]", D: "2" },
    ],
    [["--smol", "--define", "nothing"], {}],
  ])("reads what is defined in %p", async (args, define) => {
    await using folder = await programFolder()
    expect(flagsOf(args, folder.path)).toMatchObject({ define, jsx: {} })
  })

  test("reads a bunfig.toml, over which the command line goes", async () => {
    await using folder = await programFolder()
    await Bun.write(join(folder.path, "bunfig.toml"), BUNFIG)
    await Bun.write(join(folder.path, "other.toml"), `jsxImportSource = "mine"`)
    await Bun.write(join(folder.path, "broken.toml"), `jsx = `)
    const define = { SIZE: "5", "process.env.MODE": "'fast'" }
    expect(flagsOf([], folder.path)).toMatchObject({
      define,
      jsx: { jsx: "react", jsxFactory: "h" },
    })
    const args = ["--define=A:1", "--jsx-runtime=automatic", "--jsx-fragment", "F"]
    const jsx = { jsx: "react-jsx", jsxFactory: "h", jsxFragmentFactory: "F" }
    expect(flagsOf(args, folder.path)).toMatchObject({ define: { A: "1" }, jsx })
    expect(flagsOf(["--config=other.toml", "--jsx-runtime", "classic"], folder.path).jsx).toEqual({
      jsx: "react",
      jsxImportSource: "mine",
    })
    expect(flagsOf(["-c", "broken.toml"], folder.path)).toEqual({
      define: {},
      jsx: {},
      conditions: [],
      tsconfig: undefined,
    })
  })
})

const PROGRAM = `
  import { h, Fragment } from "./factory.ts"
  import { twice } from "./twice.ts"
  const one = Number(1)
  const sent = fn(() => [<><b/></>, SIZE, process.env.MODE, BUILD.name, one, twice()])
  await printBoth(sent)`
const FLAGS = `--define SIZE=5 --define process.env.MODE='fast' --define BUILD.name='b' --jsx-runtime=classic
  --jsx-factory=h --jsx-fragment=Fragment`

test.each([
  ["the command line", FLAGS.split(/\s+/), {}],
  [
    "another tsconfig",
    [...FLAGS.split(/\s+/).slice(0, 6), "--tsconfig-override=other.json"],
    {
      "tsconfig.json": "{}",
      "other.json": `{ "compilerOptions": { "jsx": "react", "jsxFactory": "h", "jsxFragmentFactory": "Fragment" } }`,
    },
  ],
  [
    "bunfig.toml",
    [],
    {
      "bunfig.toml": `${BUNFIG}\n"BUILD.name" = "'b'"`.replace(
        "[define]",
        `jsxFragment = "Fragment"\n[define]`,
      ),
    },
  ],
])("a function travels as Bun reads it by %s", async (_, flags, files) => {
  await using folder = await programFolder()
  const alike = JSON.stringify(join(import.meta.dir, "fixtures/alike.ts"))
  const all: Readonly<Record<string, string>> = {
    "factory.ts": "export const h = (...all: any[]) => ['h', ...all]; export const Fragment = 'f'",
    "twice.ts": "export const twice = () => SIZE * 2",
    "main.tsx": `${IMPORT_FN} import { printBoth } from ${alike}\n${PROGRAM}`,
    ...files,
  }
  for (const [name, text] of Object.entries(all)) await Bun.write(join(folder.path, name), text)
  const child = Bun.spawnSync([process.execPath, ...flags, "main.tsx"], { cwd: folder.path })
  expect(child.stderr.toString()).toBe("")
  const result = [["h", "f", null, ["h", "b", null]], 5, "fast", "b", 1, 10]
  expect(JSON.parse(child.stdout.toString())).toEqual({ here: result, there: result })
})
