import { describe, expect, test } from "bun:test"
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs"
import { LOG_BYTES_MAX, LOG_FILES_MAX } from "../../protocol/limits.ts"
import { logFiles, rotateLog } from "../../protocol/log-rotation.ts"
import { temporaryFolder } from "../support/folder.ts"

describe("rotateLog()", () => {
  test("begins a large log anew, and keeps so many files", () => {
    using folder = temporaryFolder()
    const path = folder.join("env.log")
    const descriptor = openSync(path, "a")
    for (let round = 0; round < 5; round++) {
      rotateLog(descriptor, path)
      expect(statSync(path).size).toBe(0)
      writeSync(descriptor, `${round}\n`.repeat(LOG_BYTES_MAX / 2))
    }
    closeSync(descriptor)
    const first = logFiles(path).map((file) => readFileSync(file, "utf8")[0])
    expect(first).toEqual(["4", "3", "2"])
    expect(readdirSync(folder.path)).toHaveLength(LOG_FILES_MAX)
  })

  test("leaves alone what is small, what was moved, and what is no file", () => {
    using folder = temporaryFolder()
    const path = folder.join("env.log")
    const descriptor = openSync(path, "a")
    writeSync(descriptor, "small")
    rotateLog(descriptor, path)
    expect(readFileSync(path, "utf8")).toBe("small")
    writeSync(descriptor, "x".repeat(LOG_BYTES_MAX))
    renameSync(path, `${path}.moved`)
    rotateLog(descriptor, path)
    expect(statSync(`${path}.moved`).size).toBeGreaterThan(LOG_BYTES_MAX)
    closeSync(descriptor)
    rotateLog(openSync("/dev/null", "a"), "/dev/null")
    rotateLog(999_999, path)
  })
})
