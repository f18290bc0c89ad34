import { describe, expect, test } from "bun:test"
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { findNatsServer } from "../../broker/find.ts"
import { caught } from "../support/caught.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { natsServer } from "../support/nats-server.ts"
import { writeScript } from "../support/script.ts"
import { startStack } from "../support/stack.ts"

/** A nats-server that says which version it is, and counts how often it was asked. */
function countingServer(folder: TemporaryFolder, version: string): string {
  const path = folder.join("nats-server")
  return writeScript(path, `echo run >> ${folder.join("runs")}`, `echo "nats-server: v${version}"`)
}

function runs(folder: TemporaryFolder): number {
  return readFileSync(folder.join("runs"), "utf8").split("\n").length - 1
}

function find(folder: TemporaryFolder, trustsProof = true) {
  const environment = { BUNHOUSE_NATS_SERVER: folder.join("nats-server") }
  const cache = folder.join("cache")
  return findNatsServer({ environment, cache, progress: () => {}, trustsProof })
}

describe("a program that was proved", () => {
  test("is not run again before it is started", async () => {
    using folder = temporaryFolder()
    countingServer(folder, "2.11.1")
    expect(await find(folder)).toMatchObject({ version: "2.11.1" })
    expect(await find(folder)).toMatchObject({ version: "2.11.1", isRemembered: true })
    expect(runs(folder)).toBe(1)
  })

  test("is run again when its file is another, or was changed, or nobody trusts the proof", async () => {
    using folder = temporaryFolder()
    const path = countingServer(folder, "2.11.1")
    await find(folder)
    countingServer(folder, "2.12.3")
    expect(await find(folder)).toMatchObject({ version: "2.12.3" })
    utimesSync(path, 1, 1)
    await find(folder)
    expect(await find(folder, false)).not.toHaveProperty("isRemembered")
    expect(runs(folder)).toBe(4)
    rmSync(path)
    expect(await caught(find(folder))).toMatchObject({ code: "UNAVAILABLE" })
  })

  test("is run again when the proof cannot be read, or was never written", async () => {
    using folder = temporaryFolder()
    countingServer(folder, "2.11.1")
    await find(folder)
    writeFileSync(folder.join("cache", "nats-server.json"), "{")
    expect(await find(folder)).toMatchObject({ version: "2.11.1" })
    rmSync(folder.join("cache"), { recursive: true })
    mkdirSync(folder.join("cache", "nats-server.json"), { recursive: true })
    await find(folder)
    await find(folder)
    expect(runs(folder)).toBe(4)
  })

  test("and is another behind the launcher that was run: it is found anew when it does not start", async () => {
    using folder = temporaryFolder()
    const { path, version } = await natsServer()
    const launcher = writeScript(folder.join("launcher"), `exec ${path} "$@"`)
    await using stack = await startStack({ variables: { BUNHOUSE_NATS_SERVER: launcher } })
    await stack.stop()
    // What it launched was newer, which is told in its configuration; the older one does not understand that.
    const proof = `${stack.home}/cache/nats-server.json`
    const proved = JSON.parse(readFileSync(proof, "utf8"))
    writeFileSync(proof, JSON.stringify({ ...proved, version: "2.99.0" }))
    await stack.startAgain()
    expect((await stack.here.status()).broker).toMatchObject({ connected: true, version })
    if (Bun.semver.order(version, "2.10.0") < 0) expect(await stack.log()).toContain("found anew")
  })
})
