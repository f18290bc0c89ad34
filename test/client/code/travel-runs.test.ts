import { expect, test } from "bun:test"
import { join } from "node:path"
import { IMPORT_FN, programFolder } from "./sent.ts"

const ALIKE = join(import.meta.dir, "fixtures/alike.ts")
const SENT = join(import.meta.dir, "sent.ts")
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

test.each(["none", "inline", "linked", "external"] as const)(
  "a function in a variable travels from a bundle beside its sources: source map %s",
  async (sourcemap) => {
    await using folder = await programFolder()
    const main = join(folder.path, "main.ts")
    const program = `const [sent] = [() => base + 1].map((f) => fn(f)); await printBoth(sent)`
    await Bun.write(
      main,
      `${IMPORT_FN} import { printBoth } from ${JSON.stringify(ALIKE)}\nconst base = Number(1); ${program}`,
    )
    const outdir = join(folder.path, "dist")
    await Bun.build({
      entrypoints: [main],
      outdir,
      target: "bun",
      sourcemap,
      external: [SENT, ALIKE],
    })
    const { stdout } = Bun.spawnSync([process.execPath, join(outdir, "main.js")])
    expect(stdout.toString()).toBe(`{"here":2,"there":2}\n`)
  },
)
