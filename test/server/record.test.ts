import { describe, expect, test } from "bun:test"
import { readdirSync, statSync } from "node:fs"
import { readDaemonRecord } from "../../client/settings.ts"
import { processStart } from "../../server/process-start.ts"
import { removeRecord, writeRecord } from "../../server/record.ts"
import { temporaryFolder } from "../support/folder.ts"

function recordOf(bootId: string) {
  return { pid: 7, bootId, url: "http://127.0.0.1:1", version: "0", processStart: "1" }
}

describe("the record of a daemon", () => {
  test("is read back as it was written, and is for its owner only", () => {
    using folder = temporaryFolder()
    const path = folder.join("daemon.json")
    writeRecord(path, recordOf("first"))
    writeRecord(path, recordOf("second"))
    expect(readDaemonRecord(path)).toEqual(recordOf("second"))
    expect(statSync(path).mode & 0o077).toBe(0)
    expect(readdirSync(folder.path)).toEqual(["daemon.json"])
  })

  test("is taken away by the life that wrote it, and by no other", () => {
    using folder = temporaryFolder()
    const path = folder.join("daemon.json")
    writeRecord(path, recordOf("second"))
    removeRecord(path, "first")
    expect(readDaemonRecord(path)).toBeDefined()
    removeRecord(path, "second")
    removeRecord(path, "second")
    expect(readDaemonRecord(path)).toBeUndefined()
  })
})

describe("processStart()", () => {
  test("tells one process for good, and undefined where there is none", async () => {
    const own = processStart(process.pid)
    expect(own).toMatch(/^\d+$/)
    expect(processStart(process.pid)).toBe(own ?? "")
    const child = Bun.spawn(["true"])
    await child.exited
    expect(processStart(child.pid)).toBeUndefined()
  })
})
