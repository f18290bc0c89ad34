import { describe, expect, test } from "bun:test"
import { appendFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { followLines } from "../../../cli/logs/follow.ts"
import { temporaryFolder } from "../../support/folder.ts"

describe("followLines()", () => {
  test("begins with the last lines and goes on", async () => {
    using folder = temporaryFolder()
    const path = folder.join("log")
    writeFileSync(path, "one\ntwo\n")
    const ended = new AbortController()
    const lines = followLines(path, 1, ended.signal)
    expect((await lines.next()).value).toEqual(["two"])
    appendFileSync(path, "three\n")
    expect((await lines.next()).value).toEqual(["three"])
    await lines.return(undefined)
  })

  test("shows what was there when the signal fired, and ends", async () => {
    using folder = temporaryFolder()
    const path = folder.join("log")
    writeFileSync(path, "")
    const ended = new AbortController()
    const lines = followLines(path, 10, ended.signal)
    const first = lines.next()
    appendFileSync(path, "last\n")
    ended.abort()
    expect((await first).value).toEqual(["last"])
    expect((await lines.next()).done).toBe(true)
  })

  test("reads a replaced log to its end, and the new one from its beginning", async () => {
    using folder = temporaryFolder()
    const path = folder.join("log")
    writeFileSync(path, "old\n")
    const lines = followLines(path, 0, new AbortController().signal)
    const next = lines.next()
    appendFileSync(path, "end\n")
    renameSync(path, folder.join("log.1"))
    writeFileSync(path, "new\n")
    expect((await next).value).toEqual(["end"])
    expect((await lines.next()).value).toEqual(["new"])
    rmSync(path)
    writeFileSync(path, "newest\n")
    expect((await lines.next()).value).toEqual(["newest"])
    await lines.return(undefined)
  })

  test("waits for a log that is not there yet, and shows all of it", async () => {
    using folder = temporaryFolder()
    const path = folder.join("log")
    const lines = followLines(path, 0, new AbortController().signal)
    const next = lines.next()
    writeFileSync(path, "first\n")
    expect((await next).value).toEqual(["first"])
    await lines.return(undefined)
  })
})
