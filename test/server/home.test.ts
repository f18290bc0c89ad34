import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { prepareHome, readOrMakeSecret } from "../../server/home.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { refusal } from "../support/sent.ts"

let folder: TemporaryFolder
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder[Symbol.dispose]())

function modeOf(path: string): number {
  return statSync(path).mode & 0o777
}

describe("prepareHome()", () => {
  test("makes folders that only their owner may enter", () => {
    const paths = prepareHome(folder.join("deep", "home"))
    for (const path of [paths.root, paths.broker, paths.cache, paths.logs, paths.envs]) {
      expect(modeOf(path)).toBe(0o700)
    }
    expect(prepareHome(paths.root)).toEqual(paths)
  })

  test("refuses a folder that others may enter, and says how to mend it (H1)", () => {
    mkdirSync(folder.join("home"), { mode: 0o755 })
    const error = refusal("PERMISSION_DENIED", () => prepareHome(folder.join("home")))
    expect(error.message).toContain("chmod 700")
    expect(modeOf(folder.join("home"))).toBe(0o755)
  })

  test("refuses a link: somebody may have put it there (H1)", () => {
    mkdirSync(folder.join("elsewhere"), { mode: 0o700 })
    symlinkSync(folder.join("elsewhere"), folder.join("home"))
    refusal("PERMISSION_DENIED", () => prepareHome(folder.join("home")))
  })
})

describe("readOrMakeSecret()", () => {
  test("makes a secret once, for its owner only, and reads it from then on (H2)", () => {
    const path = folder.join("token")
    const secret = readOrMakeSecret(path)
    expect(secret).toMatch(/^[\w-]{43}$/)
    expect(modeOf(path)).toBe(0o600)
    expect(readOrMakeSecret(path)).toBe(secret)
    expect(readOrMakeSecret(folder.join("other"))).not.toBe(secret)
  })

  test("refuses a secret that others may read (H1)", () => {
    writeFileSync(folder.join("token"), "0123456789abcdef")
    chmodSync(folder.join("token"), 0o640)
    refusal("PERMISSION_DENIED", () => readOrMakeSecret(folder.join("token")))
  })

  test("does not follow a link (H1)", () => {
    writeFileSync(folder.join("elsewhere"), "0123456789abcdef", { mode: 0o600 })
    symlinkSync(folder.join("elsewhere"), folder.join("token"))
    expect(() => readOrMakeSecret(folder.join("token"))).toThrow()
    symlinkSync(folder.join("nowhere"), folder.join("dangling"))
    expect(() => readOrMakeSecret(folder.join("dangling"))).toThrow()
  })

  test.each([[""], ["short"], ["with a space in it"], ["x".repeat(513)]])(
    "refuses a file that holds %p, and does not write over it (H2)",
    (text) => {
      writeFileSync(folder.join("token"), text, { mode: 0o600 })
      refusal("PERMISSION_DENIED", () => readOrMakeSecret(folder.join("token")))
    },
  )
})
