import { describe, expect, test } from "bun:test"
import { appendFile } from "node:fs/promises"
import { join } from "node:path"
import { locate } from "../../../client/code/locate.ts"
import { cases as expressions } from "./fixtures/expressions.ts"
import { cases as forms } from "./fixtures/forms.ts"
import * as images from "./fixtures/images.ts"
import { nowhere, placed, twins } from "./fixtures/placed.ts"
import { cases as syntax } from "./fixtures/syntax.ts"
import { IMPORT_FN, type Sent, evaluated, programFolder } from "./sent.ts"

const file = join(import.meta.dir, "fixtures/placed.ts")
const text = await Bun.file(file).text()

describe("locate()", () => {
  test.each(Object.entries(placed))("finds %p", async (beginning, sent) => {
    const found = await find(sent)
    expect(text.slice(found.start, found.end)).toStartWith(beginning)
    // Line and column say the same as the offset.
    expect(found).toMatchObject({ file, line: text.slice(0, found.start).split("\n").length })
    expect(text.split("\n")[found.line - 1]?.slice(found.column - 1)).toStartWith(
      beginning.split("\n")[0] ?? "",
    )
    expect([found.node.start, found.node.end]).toEqual([found.start, found.end])
  })

  test.each(Object.entries(nowhere))("does not guess: %s", async (_, { f, site }) => {
    expect(await locate(f, site)).toBeUndefined()
  })

  test("tells two functions of one text apart by where they stand", async () => {
    const [first, second] = [await find(twins[0]), await find(twins[1])]
    expect(first.end).toBeLessThan(second.start)
    expect(text.slice(first.start, first.end)).toBe(text.slice(second.start, second.end))
  })

  // A function with two call sites, and methods that are picked by an expression, cannot be found.
  const rest = Object.entries({ ...forms, ...expressions, ...syntax }).filter(
    ([name]) =>
      ![
        "methodComputed",
        "methodNumber",
        "methodQuoted",
        "methodFunction",
        "methodAsyncFunction",
        "classMethod",
        "classMethodAsync",
      ].includes(name),
  )
  test.each(rest)("finds the fixture %s", async (_, { sent }) => {
    const found = await find(sent)
    const isAsync = sent.f.constructor.name === "AsyncFunction"
    expect(found.node).toMatchObject({ async: isAsync })
  })

  test("finds what is captured and what is passed through helpers of the file", async () => {
    for (const sent of [images.resize, images.measure, images.sentFact, images.batch(["x"])]) {
      if (sent === undefined) throw new Error("nothing was sent")
      await find(sent)
    }
  })

  test("reads files in every dialect, with any line ends, a byte order mark and a hashbang", async () => {
    await using folder = await programFolder()
    const body = `const a = "ü😀"; export const b = fn(function wanted(x) { return x })`
    for (const [name, program] of Object.entries({
      "a.js": `${IMPORT_FN}\n${body}`,
      "a.mjs": `${IMPORT_FN}\n${body}`,
      "a.jsx": `${IMPORT_FN}\n${body}`,
      "a.mts": `${IMPORT_FN}\nlet typed: string = ""\n${body}`,
      "a.cts": `${IMPORT_FN}\nlet typed: string = ""\n${body}`,
      "a.tsx": `${IMPORT_FN}\nlet typed: string = ""\n${body}`,
      "crlf.ts": `${IMPORT_FN}\r\nlet typed: string = ""\r\n\r\n  ${body}\r\n`,
      "separators.ts": `${IMPORT_FN}\n/* \u2028 */ "a\u2029b"; let typed: string\r${body}`,
      "bom.ts": `\ufeff${IMPORT_FN} ${body}`,
      "hashbang.ts": `#!/usr/bin/env bun\n${IMPORT_FN}\n${body}`,
      "a folder (1): 2/x.ts": `${IMPORT_FN}\n${body}`,
      "umlaut ü😀.ts": `${IMPORT_FN}\n${body}`,
    })) {
      const { b } = await folder.load(name, program)
      const found = await find(b)
      expect(found.file).toBe(join(folder.path, name))
      expect(found.source.text.slice(found.start, found.end)).toBe(
        "function wanted(x) { return x }",
      )
    }
  })

  test("finds functions of CommonJS files", async () => {
    await using folder = await programFolder()
    const { b } = await folder.load(
      "a.cjs",
      `const { fn } = require(${JSON.stringify(join(import.meta.dir, "sent.ts"))})
      exports.b = fn(function wanted(x) { return x })`,
    )
    expect((await find(b)).line).toBe(2)
  })

  test("gives up when the file was edited since it was loaded", async () => {
    await using folder = await programFolder()
    const { b, c } = await folder.load(
      "a.ts",
      `${IMPORT_FN}
      export const b = fn((x: number) => x + 1); export const c = fn(function other(x: number) { return x })`,
    )
    await find(b)
    await Bun.write(
      join(folder.path, "a.ts"),
      `${IMPORT_FN}
      export const b = fn((x: number) => x + 2); export const c = fn(function other(x: number) { return x })`,
    )
    expect(await locate(...at(b))).toBeUndefined()
    await find(c)
    await appendFile(join(folder.path, "a.ts"), "\n export const = broken {")
    expect(await locate(...at(c))).toBeUndefined()
  })

  test("takes no beginning of a function for the whole", async () => {
    await using folder = await programFolder()
    const { site } = await folder.load(
      "a.ts",
      `${IMPORT_FN}
      const k = 1
      export const site = fn((x) => x + k)`,
    )
    for (const longer of ["(x) => x", "(x) => x + k.y", "(x) => x + k + 1", "(x) => x + k()"]) {
      expect(await locate(evaluated(longer), site?.site)).toBeUndefined()
    }
    // The control: the same text is found.
    expect(await locate(evaluated("(x) => x + k"), site?.site)).toBeDefined()
  })

  test("never throws, whatever the file holds", async () => {
    await using folder = await programFolder()
    const path = join(folder.path, "bad.ts")
    for (const bad of [
      "",
      "\0",
      "}{",
      "export",
      "import x from 'y' with { type: 'macro' }; x(() => 1)",
      "(".repeat(5000),
      "\ud800",
    ]) {
      await Bun.write(path, bad)
      expect(await locate(() => 1, { file: path, line: 1, column: 1 })).toBeUndefined()
      expect(
        await locate(evaluated("class {}"), { file: path, line: 1, column: 1 }),
      ).toBeUndefined()
    }
  })
})

async function find(
  sent: Sent | undefined,
): Promise<NonNullable<Awaited<ReturnType<typeof locate>>>> {
  const found = await locate(...at(sent))
  if (found === undefined)
    throw new Error(`${String(sent?.f)} at ${JSON.stringify(sent?.site)} was not found`)
  return found
}

function at(sent: Sent | undefined): Parameters<typeof locate> {
  if (sent === undefined) throw new Error("nothing was sent")
  return [sent.f, sent.site]
}
