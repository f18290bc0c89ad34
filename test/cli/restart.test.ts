import { describe, expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fn } from "../../client/index.ts"
import { isRunning, sendSignal } from "../support/processes.ts"
import { until } from "../support/until.ts"
import { commandLine } from "./command-line.ts"
import { slowCommandLine } from "./slow-command-line.ts"

describe("bunhouse restart", () => {
  test("starts a daemon where there is none", async () => {
    await using cli = await commandLine()
    const { exitCode, stdout, stderr } = await cli.run("restart")
    expect([exitCode, stderr]).toEqual([0, ""])
    expect(stdout).toMatch(/^the daemon is running at http:\/\/127\.0\.0\.1:\d+\n$/)
  })

  test("can be repeated; each time there is one daemon, another one, that takes calls", async () => {
    await using cli = await commandLine()
    const pids = new Set<number>()
    for (let i = 0; i < 3; i++) {
      const { exitCode, json } = await cli.run("restart", "--json")
      expect([exitCode, json.wasRunning]).toEqual([0, i > 0])
      expect((await cli.connect().status()).pid).toBe(json.pid)
      pids.add(json.pid)
    }
    expect([...pids].filter(isRunning)).toHaveLength(1)
    expect(pids.size).toBe(3)
  })

  test("keeps functions", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    await fn(async function add(a: number, b: number) {
      return a + b
    }).to(cli.connect().env("math"))
    const before = await cli.run("ls", "--json")
    await cli.run("restart")
    expect((await cli.run("ls", "--json")).json).toEqual(before.json)
    expect((await cli.run("call", "math/add", "1", "2")).stdout).toBe("3\n")
  })

  test("keeps the address, unless the user names another", async () => {
    await using cli = await commandLine(() => ({ BUNHOUSE_PORT: "" }))
    const { json } = await cli.run("start", "--port", "0", "--json")
    expect((await cli.run("restart", "--json")).json.url).toBe(json.url)
    const moved = await cli.run("restart", "--port", "0", "--json")
    expect(moved.exitCode).toBe(0)
    expect(moved.json.url).not.toBe(json.url)
  })

  test.each([
    [["--host", ""], {}, 2, "expected --host to be a host name or an address such as 127.0.0.1"],
    [["--host", "[[::1]]"], {}, 2, "expected --host to be"],
    [["--host", "127.0.0.1:80"], {}, 2, "expected --host to be"],
    [["--host", "nowhere.invalid"], {}, 6, "cannot listen on nowhere.invalid"],
    [["--host", "192.0.2.1"], {}, 6, "cannot listen on 192.0.2.1"],
    [[], { BUNHOUSE_HOST: "a b" }, 2, "expected BUNHOUSE_HOST to be"],
    [[], { BUNHOUSE_PORT: "http" }, 2, "expected BUNHOUSE_PORT to be"],
  ])("refuses %p with %p while the old daemon runs on", async (words, variables, exit, why) => {
    await using cli = await commandLine()
    const { json } = await cli.run("start", "--json")
    const { exitCode, stderr } = await cli.spawnWith(variables, "restart", ...words).ended
    expect([exitCode, stderr]).toEqual([exit, expect.stringContaining(why)])
    expect((await cli.run("status", "--json")).json).toMatchObject({ running: true, pid: json.pid })
  })

  test("of a daemon whose address cannot be read has to be told one", async () => {
    await using cli = await commandLine(() => ({ BUNHOUSE_PORT: "" }))
    const { json } = await cli.run("start", "--port", "0", "--json")
    const record: object = JSON.parse(readFileSync(cli.home.daemon, "utf8"))
    writeFileSync(cli.home.daemon, JSON.stringify({ ...record, url: "http://[[::1]]:80" }))
    const { exitCode, stderr } = await cli.run("restart")
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("--host and --port")])
    expect(isRunning(json.pid)).toBe(true)
    const told = await cli.run("restart", "--host", "127.0.0.1", "--port", "0", "--json")
    expect([told.exitCode, told.json.wasRunning]).toEqual([0, true])
    expect(isRunning(json.pid)).toBe(false)
  })

  test("lets running calls end first", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const nap = await fn(async function nap(ms: number) {
      await Bun.sleep(ms)
      return "slept"
    }).to(cli.connect())
    const napping = nap(1_000)
    await until(async () => (await cli.connect().status()).callsInFlight === 1, "the call to run")
    const restarting = cli.run("restart")
    expect(await napping).toBe("slept")
    expect((await restarting).exitCode).toBe(0)
  })

  test("a start while the daemon stops waits for its end, and starts another", async () => {
    await using cli = await commandLine()
    const { json } = await cli.run("start", "--json")
    const nap = await fn(async function nap(ms: number) {
      await Bun.sleep(ms)
    }).to(cli.connect())
    const napping = nap(1_500)
    await until(async () => (await cli.connect().status()).callsInFlight === 1, "the call to run")
    const stopping = cli.run("stop")
    await until(
      async () => (await cli.connect().status()).state === "draining",
      "the stop to begin",
    )
    const again = await cli.run("start", "--json")
    expect(again.json.pid).not.toBe(json.pid)
    expect((await stopping).stdout).toBe(`stopped the daemon (process ${json.pid})\n`)
    await napping
  })

  test("several at once end in one daemon", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const all = await Promise.all(Array.from({ length: 4 }, () => cli.run("restart")))
    expect(all.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0])
    expect((await cli.run("status")).exitCode).toBe(0)
    expect(cli.processes().filter((line) => line.includes("server/main.ts"))).toHaveLength(1)
  }, 30_000)

  test("lets a start that is under way succeed, then replaces its daemon", async () => {
    await using cli = await slowCommandLine()
    const starting = cli.spawn("start", "--json")
    await cli.isStarting()
    const restarting = cli.spawn("restart", "--json")
    await Bun.sleep(2_000) // long enough for the restart to look, and to say that it waits
    cli.goOn()
    const [started, restarted] = await Promise.all([starting.ended, restarting.ended])
    expect([started.exitCode, restarted.exitCode]).toEqual([0, 0])
    expect(restarted.stderr).toContain(`waiting for process ${started.json.pid}`)
    expect(restarted.json.pid).not.toBe(started.json.pid)
    expect(isRunning(started.json.pid)).toBe(false)
  }, 20_000)

  test("replaces a daemon that hangs", async () => {
    await using cli = await commandLine()
    const { json } = await cli.run("start", "--json")
    sendSignal(json.pid, "SIGSTOP")
    const again = await cli.run("restart", "--timeout", "200ms", "--json")
    expect(again.exitCode).toBe(0)
    expect(again.json.pid).not.toBe(json.pid)
    expect(isRunning(json.pid)).toBe(false)
  }, 20_000)

  test("is what `bun run restart` does in the repository", async () => {
    await using cli = await commandLine()
    const child = Bun.spawnSync([process.execPath, "run", "--silent", "restart"], {
      cwd: join(import.meta.dir, "../.."),
      env: { ...cli.variables },
    })
    expect(child.stdout.toString()).toStartWith("the daemon is running at http://")
    expect((await cli.run("status")).exitCode).toBe(0)
  })
})
