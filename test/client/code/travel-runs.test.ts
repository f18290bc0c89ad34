import { expect, test } from "bun:test"
import { join } from "node:path"
import { IMPORT_FN, programFolder } from "./sent.ts"

const ALIKE = join(import.meta.dir, "fixtures/alike.ts")
const PROGRAM = `
  const base: number = 10
  const sent = fn(function sent() {
    const one = 1
    if (false) console.log("never")
    if (typeof base === "undefined") return undefined
    return base > 1 ? base + one : true
  })`

test.each([
  ["bun", []],
  ["bun --inspect", ["--inspect=127.0.0.1:0/bunhouse"]],
  ["bun --smol", ["--smol"]],
  ["bun test", ["test"]],
  ["bun test --coverage", ["test", "--coverage"]],
  ["bun test --isolate", ["test", "--isolate"]],
])("a function travels however its program is run: %s", async (_, flags) => {
  await using folder = await programFolder()
  const [run, end] = flags.includes("test")
    ? [`import { test } from "bun:test"; test("one", async () => {`, "})"]
    : ["", ""]
  const text = `${IMPORT_FN} import { printBoth } from ${JSON.stringify(ALIKE)}\n${run}${PROGRAM}\nawait printBoth(sent)${end}`
  await Bun.write(join(folder.path, "main.test.ts"), text)
  const { stdout } = Bun.spawnSync([process.execPath, ...flags, "./main.test.ts"], {
    cwd: folder.path,
  })
  expect(stdout.toString()).toContain(`{"here":11,"there":11}`)
})
