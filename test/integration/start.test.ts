import { describe, expect, test } from "bun:test"
import { mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../support/folder.ts"
import { natsServer } from "../support/nats-server.ts"
import { processesWith } from "../support/processes.ts"

const PROGRAM = join(import.meta.dir, "../../server/main.ts")

/** Starts a daemon that is not expected to start; what it said last, and how it ended. */
async function failToStart(home: string, variables: Readonly<Record<string, string>>) {
  const child = Bun.spawn([process.execPath, PROGRAM], {
    env: {
      PATH: process.env["PATH"] ?? "",
      // Bun keeps things of its own there.
      HOME: `${home}-of-the-user`,
      BUNHOUSE_HOME: home,
      BUNHOUSE_PORT: "0",
      BUNHOUSE_NATS_SERVER: (await natsServer()).path,
      ...variables,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  })
  const lines = (await child.stdout.text()).trim().split("\n")
  const { error } = JSON.parse(lines.at(-1) ?? "{}")
  return { error, exitCode: await child.exited }
}

describe("a daemon that cannot start", () => {
  test("because its port is taken says so, and leaves nothing running (Z2)", async () => {
    using folder = temporaryFolder()
    using other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("mine") })
    const home = folder.join("home")
    const { error, exitCode } = await failToStart(home, { BUNHOUSE_PORT: String(other.port) })
    expect(exitCode).toBe(1)
    expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    expect(error.message).toContain(`port ${other.port}`)
    expect(error.message).toContain("BUNHOUSE_PORT")
    expect(processesWith(folder.path)).toEqual([])
    expect(readdirSync(home)).not.toContain("daemon.json")
    expect(await (await fetch(other.url)).text()).toBe("mine")
  })

  test("because its settings are wrong says which, before it touches anything (Z1)", async () => {
    using folder = temporaryFolder()
    const home = folder.join("home")
    const { error, exitCode } = await failToStart(home, { BUNHOUSE_PORT: "many" })
    expect(exitCode).toBe(1)
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" })
    expect(error.message).toContain(`"many"`)
    expect(readdirSync(folder.path)).not.toContain("home")
  })

  test("because others may enter its home says how to mend it", async () => {
    using folder = temporaryFolder()
    const home = folder.join("home")
    mkdirSync(home, { mode: 0o755 })
    const { error } = await failToStart(home, {})
    expect(error).toMatchObject({ code: "PERMISSION_DENIED" })
    expect(error.message).toContain("chmod 700")
    expect(readdirSync(home)).toEqual([])
  })

  test("because there is no broker says what to install, and leaves nothing running (Z2)", async () => {
    using folder = temporaryFolder()
    const { error } = await failToStart(folder.join("home"), { BUNHOUSE_NATS_SERVER: "/bin/false" })
    expect(error.ran).toBe("no")
    expect(error.message).toContain("/bin/false")
    expect(processesWith(folder.path)).toEqual([])
  })
})
