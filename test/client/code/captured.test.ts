import { describe, expect, test } from "bun:test"
import { checkSelfContained } from "../../../client/code/captured.ts"
import type { AnyClass, AnyFunction } from "../../../client/code/kind.ts"
import { readValueText } from "../../../client/code/text.ts"
import { BunhouseError } from "../../../protocol/errors.ts"
import { cases as expressions } from "./fixtures/expressions.ts"
import { cases as forms } from "./fixtures/forms.ts"
import * as images from "./fixtures/images.ts"
import { cases as syntax } from "./fixtures/syntax.ts"
import { IMPORT_FN, type Sent, evaluated, programFolder } from "./sent.ts"

describe("checkSelfContained()", () => {
  test.each(Object.entries({ ...forms, ...expressions, ...syntax }))(
    "lets %s pass",
    async (_, { sent }) => {
      expect(await refusal(sent)).toBeUndefined()
    },
  )

  test("counts lines from the function's first where the file is not known", async () => {
    expect(await refusal(images.batch(["a"]))).toBe(`\
the function batchOne cannot be sent: the file that it was written in was not found, was changed since it was loaded, or cannot be told from another with the same text, so that only its own code travels, but it uses
  file (line 2 of the function), declared outside of the function: pass it as an argument, or carry its value along, with: { file }, or move it into the function
  limit (line 2 of the function), declared outside of the function: pass it as an argument, or carry its value along, with: { limit }, or move it into the function
  started (line 2 of the function), declared outside of the function: pass it as an argument, or carry its value along, with: { started }, or move it into the function`)
  })

  test("leaves bare, node: and bun: modules to the env, and computed ones to the caller", async () => {
    await using folder = await programFolder()
    const exports = await folder.load(
      "modules.ts",
      `${IMPORT_FN}
      export const fine = fn(async (m) => [await import(m), require(m + "/x"), await import(\`\${m}/y\`), import("a/./b"), require("node:fs"), import("/abs.ts"), require.resolve("x")])
      export const own = fn(async (m) => [import("./a"), require("../b.ts"), import(\`./\${m}.ts\`), import("#c"), require.resolve("./d"), import(".."), import(\`./e\`)])
      export const made = (() => { const require = (x) => x; return fn(() => [require("./a"), 1]) })()`,
    )
    expect(await refusal(exports["fine"])).toBeUndefined()
    expect(await names(exports["own"])).toEqual([
      '"./a"',
      '"../b.ts"',
      '"./"',
      '"#c"',
      '"./d"',
      '".."',
      '"./e"',
    ])
    expect(await names(exports["made"])).toEqual(['"./a"'])
  })

  test("sees every place where a name can hide", async () => {
    await using folder = await programFolder()
    const exports = await folder.load(
      "places.ts",
      `${IMPORT_FN}
      let a1, a2, a3, a4, a5, a6, a7, a8, a9, b1, b2, b3, b4, b5, b6, b7, b8
      export const hidden = fn(function hidden(p = a1, { [a2]: q = a3 } = {}, ...r) {
        const shorthand = { a4 }
        a5 ||= 1
        ;[a6] = []
        ;({ x: a7 } = {})
        for (a8 of []);
        for (const k in a9) k
        class C extends b1 { [b2] = b3; static { b4() } get [b5]() { return 1 } }
        return \`\${b6}\` + b7\`x\` + (() => b8)() + typeof p + q + r + shorthand + C
      })
      export const inside = fn(() => {
        const { a1, x: [a2], ...a3 } = { x: [1] }
        function a4(a5 = a1) { return a5 }
        class a6 { a7 = 1; a8() { return this.a9 } }
        try { a4() } catch (a9) { a9.b1 } 
        b2: for (const b3 of []) { if (b3) break b2; else continue b2 }
        return [a1, a2, a3, a4, a6, { b4: 1, b5() {} }.b4, import.meta === undefined]
      })`,
    )
    expect(await names(exports["hidden"])).toEqual([
      "a1",
      "a2",
      "a3",
      "a4",
      "a5",
      "a6",
      "a7",
      "a8",
      "a9",
      "b1",
      "b2",
      "b3",
      "b4",
      "b5",
      "b6",
      "b7",
      "b8",
    ])
    expect(await names(exports["inside"])).toEqual(["import.meta"])
  })

  test("lists many captures, but not without end", async () => {
    const all = Array.from({ length: 100 }, (_, i) => `v${i}`)
    const f = evaluated(`() => [${all.join()}]`)
    const lines = (await refusal({ f, site: undefined }))?.split("\n") ?? []
    expect(lines).toHaveLength(42)
    expect(lines.at(-1)).toBe("  and 60 more")
  })

  test("lets what is carried along pass, and tells what of it is used", async () => {
    const f = evaluated("() => [a, b, typeof c]")
    expect(await check(f, "a", "b", "c", "d")).toEqual(new Set(["a", "b", "c"]))
    expect(await names({ f, site: undefined }, "a")).toEqual(["b"])
    const writes = { f: evaluated("() => a++"), site: undefined }
    expect(await refusal(writes, "a")).toContain("return the new value instead of assigning it")
  })

  test("sees what a class needs", async () => {
    // oxlint-disable-next-line no-eval -- a class of no file
    const Odd: AnyClass = (0, eval)("(class A { m() { return [A, B, c] } })")
    const told = await check(Odd).catch(String)
    expect(told).toContain("B (line 1")
    expect(told).toContain("pass it to the constructor")
    expect(told).not.toContain("with: {")
    expect(await check(Odd, "B", "c")).toEqual(new Set(["B", "c"]))
  })
})

async function check(f: AnyFunction | AnyClass, ...given: string[]): Promise<ReadonlySet<string>> {
  return await checkSelfContained(f, await readValueText(f), new Set(given))
}

/** The message; undefined where there is no refusal. */
async function refusal(sent: Sent | undefined, ...given: string[]): Promise<string | undefined> {
  if (sent === undefined) throw new Error("nothing was sent")
  try {
    await check(sent.f, ...given)
    return undefined
  } catch (error) {
    if (!(error instanceof BunhouseError)) throw error
    expect(error).toMatchObject({ code: "FUNCTION_NOT_SENDABLE", ran: "no" })
    return error.message
  }
}

async function names(sent: Sent | undefined, ...given: string[]): Promise<readonly string[]> {
  const [, ...lines] = (await refusal(sent, ...given))?.split("\n") ?? []
  return lines.map((line) => line.trim().split(" (")[0] ?? "")
}
