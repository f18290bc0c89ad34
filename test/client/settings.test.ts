import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { resolveAddress } from "../../client/settings.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { refusal } from "../support/sent.ts"

let folder: TemporaryFolder
let environment: Record<string, string>
beforeEach(() => {
  folder = temporaryFolder()
  environment = { BUNHOUSE_HOME: folder.join("home") }
  mkdirSync(folder.join("home"))
})
afterEach(() => folder[Symbol.dispose]())

function writeToken(text: string, mode = 0o600): void {
  writeFileSync(folder.join("home", "token"), text, { mode })
}

function writeRecord(record: unknown): void {
  writeFileSync(folder.join("home", "daemon.json"), JSON.stringify(record))
}

const RECORD = {
  pid: 7,
  bootId: "b",
  url: "http://127.0.0.1:9999",
  version: "0",
  processStart: "1",
}

describe("resolveAddress()", () => {
  test("takes options before variables, these before the daemon's own record, that before defaults", () => {
    writeToken("from-the-file\n")
    expect(resolveAddress({}, environment).url).toBe("http://127.0.0.1:7420")
    environment["BUNHOUSE_HOST"] = "box"
    environment["BUNHOUSE_PORT"] = "80"
    expect(resolveAddress({}, environment).url).toBe("http://box:80")
    writeRecord(RECORD)
    expect(resolveAddress({}, environment)).toEqual({ url: RECORD.url, token: "from-the-file" })
    environment["BUNHOUSE_URL"] = "https://far.example/base//"
    environment["BUNHOUSE_TOKEN"] = "from-variable"
    expect(resolveAddress({}, environment)).toEqual({
      url: "https://far.example/base",
      token: "from-variable",
    })
    const options = { url: "http://[::1]:1", token: "from-option" }
    expect(resolveAddress(options, environment)).toEqual(options)
  })

  test("makes a URL of a host that is an IPv6 address", () => {
    writeToken("token")
    environment["BUNHOUSE_HOST"] = "::1"
    expect(resolveAddress({}, environment).url).toBe("http://[::1]:7420")
  })

  test.each([
    [""],
    ["localhost:7420"],
    ["ftp://x"],
    ["/path"],
    ["javascript:alert(1)"],
    ["http://"],
  ])("refuses the URL %p, naming it", (url) => {
    const error = refusal("INVALID_ARGUMENT", () =>
      resolveAddress({ url, token: "t" }, environment),
    )
    expect(error.message).toContain(JSON.stringify(url))
  })

  test("without a token says how to get a daemon", () => {
    expect(refusal("NO_DAEMON", () => resolveAddress({}, environment)).message).toContain(
      "bunhouse start",
    )
  })

  test("refuses a token that others may read, and says how to mend it", () => {
    writeToken("token", 0o644)
    const error = refusal("PERMISSION_DENIED", () => resolveAddress({}, environment))
    expect(error.message).toContain("chmod 600")
  })

  test("refuses a token that is a link: somebody may have put it there", () => {
    writeFileSync(folder.join("elsewhere"), "token", { mode: 0o600 })
    symlinkSync(folder.join("elsewhere"), folder.join("home", "token"))
    refusal("PERMISSION_DENIED", () => resolveAddress({}, environment))
  })

  test.each([["not json"], ["{}"], ["[]"], [`{"pid":-1}`]])(
    "passes over a record of a daemon that reads %p",
    (text) => {
      writeToken("token")
      writeFileSync(folder.join("home", "daemon.json"), text)
      expect(resolveAddress({}, environment).url).toBe("http://127.0.0.1:7420")
    },
  )
})
