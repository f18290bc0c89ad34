import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { SOURCE_BYTES_MAX } from "../../../protocol/limits.ts"
import { readSourceFile } from "../../../client/code/source-file.ts"
import { programFolder } from "./sent.ts"

describe("readSourceFile()", () => {
  test("reads a file in the dialect of its name", async () => {
    await using folder = await programFolder()
    for (const [name, dialect] of [
      ["a.ts", "ts"],
      ["a.mts", "ts"],
      ["a.tsx", "tsx"],
      ["a.js", "jsx"],
      ["a.cjs", "jsx"],
    ] as const) {
      const path = join(folder.path, name)
      await Bun.write(path, "export const a = 1")
      expect(await readSourceFile(path)).toMatchObject({
        path,
        dialect,
        text: "export const a = 1",
        error: undefined,
      })
    }
  })

  test("is undefined for what is no program, or too large to be one", async () => {
    await using folder = await programFolder()
    for (const name of ["a.json", "a", "a.wasm", "a.html", ".ts"]) {
      await Bun.write(join(folder.path, name), "1")
      expect(await readSourceFile(join(folder.path, name))).toBeUndefined()
    }
    const large = join(folder.path, "large.ts")
    await Bun.write(large, " ".repeat(SOURCE_BYTES_MAX + 1))
    expect(await readSourceFile(large)).toBeUndefined()
    await Bun.write(large, " ".repeat(1000))
    expect(await readSourceFile(large)).toBeDefined()
  })

  test("throws where there is no file", async () => {
    expect(await readSourceFile("/nowhere/a.ts").catch((error: unknown) => error)).toBeInstanceOf(
      Error,
    )
  })

  test("analyses a file once for calls that follow each other, and anew when it changed", async () => {
    await using folder = await programFolder()
    const path = join(folder.path, "a.ts")
    await Bun.write(path, "export const a = 1")
    const [first, second] = await Promise.all([readSourceFile(path), readSourceFile(path)])
    expect(first).toBe(second)
    await Bun.write(path, "export const a = 2")
    expect((await readSourceFile(path))?.text).toBe("export const a = 2")
    await Bun.write(join(folder.path, "b.ts"), "export const a = 2")
    expect(await readSourceFile(join(folder.path, "b.ts"))).toMatchObject({
      path: join(folder.path, "b.ts"),
    })
  })
})
