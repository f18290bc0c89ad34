import { describe, expect, test } from "bun:test"
import { appendFileSync, truncateSync, writeFileSync } from "node:fs"
import * as fc from "fast-check"
import { lastLines, LogFile } from "../../../cli/logs/log-file.ts"
import { temporaryFolder } from "../../support/folder.ts"

describe("lastLines()", () => {
  test("are the last ones, the incomplete one included", () => {
    using folder = temporaryFolder()
    const path = folder.join("log")
    writeFileSync(path, "one\ntwo\n\nthree")
    expect(lastLines(path, 2)).toEqual(["", "three"])
    expect(lastLines(path, 100)).toEqual(["one", "two", "", "three"])
    expect(lastLines(path, 0)).toEqual([])
    expect(lastLines(path, 100, 4)).toEqual(["two", "", "three"])
  })

  test("of a file that is empty or not there are none", () => {
    using folder = temporaryFolder()
    expect(lastLines(folder.join("none"), 10)).toEqual([])
    writeFileSync(folder.join("empty"), "")
    expect(lastLines(folder.join("empty"), 10)).toEqual([])
  })

  test("are those of reading the whole file", () => {
    using folder = temporaryFolder()
    const path = folder.join("log")
    // Lines of all lengths around the size of a chunk, of characters of several bytes.
    const line = fc.nat(3).chain((kind) => {
      const length = [3, 100, 21_845, 30_000][kind] ?? 0
      return fc.nat(length).map((count) => "é".repeat(count))
    })
    const property = fc.property(
      fc.array(line, { maxLength: 12 }),
      fc.nat(13),
      fc.boolean(),
      (lines, count, isComplete) => {
        const text = lines.join("\n") + (isComplete && lines.length > 0 ? "\n" : "")
        writeFileSync(path, text)
        const all = text === "" ? [] : text.replace(/\n$/, "").split("\n")
        const wanted = all.slice(Math.max(0, all.length - count))
        expect(lastLines(path, count)).toEqual(wanted)
      },
    )
    fc.assert(property)
  })
})

describe("LogFile", () => {
  test("holds a line back until it is complete", () => {
    using folder = temporaryFolder()
    const path = folder.join("log")
    writeFileSync(path, "one\ntw")
    using file = LogFile.open(path)
    expect(file?.nextLines()).toEqual(["one"])
    expect(file?.nextLines()).toEqual([])
    appendFileSync(path, "o\nthree\n")
    expect(file?.nextLines()).toEqual(["two", "three"])
  })

  test("shows an endless line in pieces", () => {
    using folder = temporaryFolder()
    const path = folder.join("log")
    writeFileSync(path, "x".repeat(70_000))
    using file = LogFile.open(path)
    expect(file?.nextLines().join("").length).toBe(65_536)
    expect(file?.nextLines()).toEqual([])
    expect(file?.incompleteLine.length).toBe(70_000 - 65_536)
  })

  test("begins anew when the file is cut", () => {
    using folder = temporaryFolder()
    const path = folder.join("log")
    writeFileSync(path, "one\ntwo\n")
    using file = LogFile.open(path)
    file?.seekLast(1)
    expect(file?.nextLines()).toEqual(["two"])
    truncateSync(path)
    expect(file?.nextLines()).toEqual([])
    appendFileSync(path, "new\n")
    expect(file?.nextLines()).toEqual(["new"])
  })
})
