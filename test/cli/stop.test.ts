import { describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fn } from "../../client/index.ts"
import { processStart } from "../../server/entry.ts"
import { isRunning, sendSignal } from "../support/processes.ts"
import { until } from "../support/until.ts"
import { type CommandLine, commandLine } from "./command-line.ts"
import { slowCommandLine } from "./slow-command-line.ts"

describe("bunhouse stop", () => {
  test("returns when nothing of the daemon is left", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const pid = cli.daemonPid()
    const { exitCode, stdout, stderr } = await cli.run("stop")
    expect(cli.processes()).toEqual([])
    expect(existsSync(cli.home.daemon)).toBe(false)
    expect([exitCode, stdout, stderr]).toEqual([0, `stopped the daemon (process ${pid})\n`, ""])
  })

  test("is fine without a daemon, twice, and in a home that is not there", async () => {
    await using cli = await commandLine()
    const none = { exitCode: 0, stdout: `no daemon is running in ${cli.home.root}\n`, stderr: "" }
    expect(await cli.run("stop")).toMatchObject(none)
    expect(existsSync(cli.home.root)).toBe(false)
    await cli.run("start")
    await cli.run("stop")
    expect(await cli.run("stop")).toMatchObject(none)
    expect((await cli.run("stop", "--json")).json).toEqual({
      running: false,
      stopped: false,
      home: cli.home.root,
    })
  })

  test("many at once are fine as well", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const all = await Promise.all(Array.from({ length: 5 }, () => cli.run("stop")))
    expect(all.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0])
    expect(cli.processes()).toEqual([])
  })

  test.each(["a wrong token", "no token"])(
    "with %s asks by a signal, because the process is ours, and lets running calls end",
    async (which) => {
      await using cli = await commandLine(() => ({ BUNHOUSE_TOKEN: "right-token-right-token" }))
      await cli.run("start")
      const here = cli.connect({ token: "right-token-right-token" })
      const nap = await fn(async function nap(ms: number) {
        await Bun.sleep(ms)
        return "slept"
      }).to(here)
      const napping = nap(1_500)
      await until(async () => (await here.status()).callsInFlight === 1, "the call to run")
      await using stranger = await commandLine(() => ({
        BUNHOUSE_HOME: cli.home.root,
        BUNHOUSE_TOKEN: which === "no token" ? "" : "wrong-token-wrong-token",
      }))
      const { exitCode, stdout, stderr } = await stranger.run("stop")
      expect(await napping).toBe("slept")
      expect([exitCode, stdout]).toEqual([0, expect.stringContaining("stopped the daemon")])
      expect(stderr).toBe("bunhouse: waiting for the daemon; it lets running calls end\n")
      expect(cli.processes()).toEqual([])
    },
  )

  test("with a wrong token, ends one whose calls take longer than the time allowed", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const nap = await fn(async function nap(ms: number) {
      await Bun.sleep(ms)
    }).to(cli.connect())
    const napping = nap(60_000).catch((error: unknown) => error)
    await until(async () => (await cli.connect().status()).callsInFlight === 1, "the call to run")
    await using stranger = await commandLine(() => ({
      BUNHOUSE_HOME: cli.home.root,
      BUNHOUSE_TOKEN: "wrong-token-wrong-token",
    }))
    const { exitCode, stdout, stderr } = await stranger.run("stop", "--timeout", "200ms")
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining("ended the daemon")])
    expect(stderr).toContain("did not end by itself; ending it by signals")
    expect(await napping).toBeInstanceOf(Error)
    expect(cli.processes()).toEqual([])
  })

  test("ends a daemon that is still starting", async () => {
    await using cli = await slowCommandLine()
    const starting = cli.spawn("start")
    await cli.isStarting()
    expect((await cli.run("stop")).stdout).toContain("the daemon (process")
    const { exitCode, stderr } = await starting.ended
    expect(exitCode).toBe(6)
    expect(stderr).toContain("the daemon ended while it started (SIGTERM)")
    cli.goOn()
    await until(() => cli.processes().length === 0, "an end of all processes")
  })

  test("ends a daemon whose record is lost or broken", async () => {
    await using cli = await commandLine()
    for (const breakRecord of [
      () => rmSync(cli.home.daemon),
      () => writeFileSync(cli.home.daemon, "{"),
    ]) {
      await cli.run("start")
      const pid = cli.daemonPid()
      breakRecord()
      const { exitCode, stdout } = await cli.run("stop")
      expect(exitCode).toBe(0)
      expect(stdout).toContain(`the daemon (process ${pid})`)
      expect(cli.processes()).toEqual([])
    }
  })
})

describe("bunhouse stop and a record that is worth nothing", () => {
  test("removes the record of a daemon that was killed", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const pid = cli.daemonPid()
    sendSignal(pid, "SIGKILL")
    await until(() => cli.processes().length === 0, "the daemon's end")
    expect((await cli.run("status")).exitCode).toBe(7)
    const { exitCode, stdout, stderr } = await cli.run("stop")
    expect([exitCode, stdout]).toEqual([0, `no daemon is running in ${cli.home.root}\n`])
    expect(stderr).toContain("its record is removed")
    expect(existsSync(cli.home.daemon)).toBe(false)
  })

  test("removes one that cannot be read", async () => {
    await using cli = await commandLine()
    mkdirSync(cli.home.root, { mode: 0o700 })
    writeFileSync(cli.home.daemon, "{")
    const { exitCode, stderr } = await cli.run("stop")
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining("daemon.json cannot be read")])
    expect(existsSync(cli.home.daemon)).toBe(false)
  })

  test.each(["another start", "its very start"])(
    "lets a foreign process live that has the pid, recorded with %s",
    async (which) => {
      await using cli = await commandLine()
      await using foreign = Bun.spawn(["sleep", "60"])
      const start = which === "its very start" ? processStart(foreign.pid) : "12345"
      writeRecord(cli, { pid: foreign.pid, processStart: start ?? "" })
      const { exitCode, stdout } = await cli.run("stop", "--timeout", "0")
      expect([exitCode, stdout]).toEqual([0, `no daemon is running in ${cli.home.root}\n`])
      expect(existsSync(cli.home.daemon)).toBe(false)
      expect(isRunning(foreign.pid)).toBe(true)
    },
  )

  test("start does not take a foreign process for the daemon either", async () => {
    await using cli = await commandLine()
    await using foreign = Bun.spawn(["sleep", "60"])
    writeRecord(cli, { pid: foreign.pid, processStart: processStart(foreign.pid) ?? "" })
    expect((await cli.run("start", "--json")).json.wasRunning).toBe(false)
    expect(isRunning(foreign.pid)).toBe(true)
  })

  test("lets the daemon of another home live", async () => {
    await using cli = await commandLine()
    await using other = await commandLine()
    await Promise.all([cli.run("start"), other.run("start")])
    await cli.run("stop")
    expect(isRunning(other.daemonPid())).toBe(true)
    expect((await other.run("status")).exitCode).toBe(0)
  })
})

describe("bunhouse stop and a daemon that does not stop", () => {
  test("kills one that hangs, once the time is up, and its broker and envs die with it", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const pid = cli.daemonPid()
    const spawn = await fn(async function spawn() {
      Bun.spawn(["sleep", "300"])
    }).to(cli.connect())
    await spawn()
    const names = ["server/main.ts", "nats-server", "envs/main.ts", "sleep"]
    expect(names.filter((name) => !cli.processes().join().includes(name))).toEqual([])
    sendSignal(pid, "SIGSTOP")
    const { exitCode, stdout, stderr } = await cli.run("stop", "--timeout", "500ms")
    expect([exitCode, stdout]).toEqual([0, `killed the daemon (process ${pid})\n`])
    expect(stderr).toContain("did not end by itself")
    expect(isRunning(pid)).toBe(false)
    expect(existsSync(cli.home.daemon)).toBe(false)
    await until(() => cli.processes().length === 0, "an end of all processes", 2_000)
    expect((await cli.run("start")).exitCode).toBe(0)
  }, 20_000)

  test("ends one whose calls take longer than the time allowed", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const nap = await fn(async function nap(ms: number) {
      await Bun.sleep(ms)
    }).to(cli.connect())
    const napping = nap(60_000).catch((error: unknown) => error)
    await until(async () => (await cli.connect().status()).callsInFlight === 1, "the call to run")
    const { exitCode, stdout } = await cli.run("stop", "--timeout", "200ms")
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining("ended the daemon")])
    expect(await napping).toBeInstanceOf(Error)
    expect(cli.processes()).toEqual([])
  })

  test("--timeout 0 ends it at once", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const { exitCode, json } = await cli.run("stop", "--timeout", "0", "--json")
    expect(exitCode).toBe(0)
    expect(json).toMatchObject({ running: false, stopped: true, end: "signalled" })
    expect(cli.processes()).toEqual([])
  })
})

function writeRecord(
  cli: CommandLine,
  identity: { readonly pid: number; readonly processStart: string },
): void {
  mkdirSync(cli.home.root, { mode: 0o700 })
  const record = { ...identity, bootId: "boot", url: "http://127.0.0.1:1", version: "0.1.0" }
  writeFileSync(cli.home.daemon, JSON.stringify(record))
  expect(JSON.parse(readFileSync(cli.home.daemon, "utf8")).pid).toBe(identity.pid)
}
