import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { noToken, resolveAddress } from "../../client/settings.ts"
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
  pid: process.pid,
  bootId: "b",
  url: "http://127.0.0.1:9999",
  version: "0",
  processStart: "1",
}

describe("resolveAddress()", () => {
  test("takes options before variables, these before the daemon's own record", () => {
    writeToken("from-the-file\n")
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

  test("never falls back to an address where a stranger may listen", async () => {
    writeToken("token")
    refusal("NO_DAEMON", () => resolveAddress({}, environment))
    const gone = Bun.spawn(["true"])
    await gone.exited
    writeRecord({ ...RECORD, pid: gone.pid })
    refusal("NO_DAEMON", () => resolveAddress({}, environment))
    environment["BUNHOUSE_PORT"] = "80"
    refusal("NO_DAEMON", () => resolveAddress({}, environment))
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

  test("without a token says where it was looked for: the daemon decides whether it wants one", () => {
    writeRecord(RECORD)
    const tokenFile = folder.join("home", "token")
    const address = resolveAddress({}, environment)
    expect(address).toEqual({ url: RECORD.url, token: "", tokenFile })
    const message = expect.stringMatching(/9999 wants a token.* BUNHOUSE_TOKEN .*home\/token/)
    expect(noToken(address)).toMatchObject({ code: "UNAUTHENTICATED", ran: "no", message })
    expect(noToken({ url: RECORD.url, token: "wrong" })).toBeUndefined()
  })

  test("refuses a token that others may read, and says how to mend it", () => {
    writeRecord(RECORD)
    writeToken("token", 0o644)
    const error = refusal("PERMISSION_DENIED", () => resolveAddress({}, environment))
    expect(error.message).toContain("chmod 600")
  })

  test("refuses a token that is a link: somebody may have put it there", () => {
    writeRecord(RECORD)
    writeFileSync(folder.join("elsewhere"), "token", { mode: 0o600 })
    symlinkSync(folder.join("elsewhere"), folder.join("home", "token"))
    refusal("PERMISSION_DENIED", () => resolveAddress({}, environment))
  })

  test.each([["not json"], ["{}"], ["[]"], [`{"pid":-1}`]])(
    "passes over a record of a daemon that reads %p",
    (text) => {
      writeToken("token")
      writeFileSync(folder.join("home", "daemon.json"), text)
      refusal("NO_DAEMON", () => resolveAddress({}, environment))
    },
  )
})
