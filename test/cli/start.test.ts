import { describe, expect, test } from "bun:test"
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { startCluster } from "../support/cluster.ts"
import { natsServer } from "../support/nats-server.ts"
import { isRunning, sendSignal } from "../support/processes.ts"
import { writeScript } from "../support/script.ts"
import { until } from "../support/until.ts"
import { commandLine } from "./command-line.ts"
import { slowCommandLine } from "./slow-command-line.ts"

describe("bunhouse start", () => {
  test("prints one line with the address once calls are accepted", async () => {
    await using cli = await commandLine()
    const { exitCode, stdout, stderr } = await cli.run("start")
    expect(stdout).toMatch(/^the daemon is running at http:\/\/127\.0\.0\.1:\d+\n$/)
    expect(stderr).toBe("")
    expect(exitCode).toBe(0)
    expect((await cli.run("status")).exitCode).toBe(0)
  })

  test("says so when a daemon runs already, and leaves it alone", async () => {
    await using cli = await commandLine()
    const first = await cli.run("start", "--json")
    const pid = cli.daemonPid()
    const second = await cli.run("start")
    expect(second.stdout).toBe(`the daemon is running already at ${first.json.url}\n`)
    expect(second.exitCode).toBe(0)
    expect((await cli.run("start", "--json")).json).toEqual({ ...first.json, wasRunning: true })
    expect(cli.daemonPid()).toBe(pid)
  })

  test("takes paths of its variables from the folder where it stands", async () => {
    const { path } = await natsServer()
    await using cli = await commandLine()
    writeScript(cli.folder.join("bin", "nats-server"), `exec ${path} "$@"`)
    const relative = { BUNHOUSE_HOME: "home", BUNHOUSE_NATS_SERVER: "bin/nats-server" }
    const { exitCode, json } = await cli.spawnWith(relative, "start", "--json").ended
    expect([exitCode, json.home]).toEqual([0, cli.home.root])
    expect((await cli.run("status", "--json")).json.pid).toBe(json.pid)
    const { stdout } = await cli.spawnWith(relative, "stop").ended
    expect(stdout).toBe(`stopped the daemon (process ${json.pid})\n`)
    const credentials = {
      BUNHOUSE_NATS_URL: "nats://127.0.0.1:1",
      BUNHOUSE_NATS_CREDS: "own.creds",
    }
    const { stderr } = await cli.spawnWith(credentials, "start").ended
    expect(stderr).toContain(cli.folder.join("own.creds"))
  })

  test("tells how to move a daemon that runs elsewhere than asked", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const { exitCode, stderr } = await cli.run("start", "--port", "1")
    expect(stderr).toContain("`bunhouse restart --port 1` moves it")
    expect(exitCode).toBe(0)
  })

  test("starts a process of its own session, with its log for its owner only", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const pid = cli.daemonPid()
    const { stdout } = Bun.spawnSync(["ps", "-o", "sid=", "-p", String(pid)])
    expect(Number(stdout.toString())).toBe(pid)
    expect(statSync(`${cli.home.logs}/daemon.log`).mode & 0o777).toBe(0o600)
  })

  test("twenty at once end in one daemon, and all tell its address", async () => {
    await using cli = await commandLine()
    const all = await Promise.all(Array.from({ length: 20 }, () => cli.run("start", "--json")))
    expect(all.map(({ exitCode }) => exitCode)).toEqual(Array.from({ length: 20 }, () => 0))
    expect(new Set(all.map(({ json }) => `${json.url} ${json.pid}`)).size).toBe(1)
    expect(all.filter(({ json }) => !json.wasRunning)).toHaveLength(1)
    expect(cli.processes().filter((line) => line.includes("server/main.ts"))).toHaveLength(1)
  }, 60_000)

  test("waits for a start that is under way", async () => {
    await using cli = await slowCommandLine()
    const first = cli.spawn("start", "--json")
    await cli.isStarting()
    const second = cli.spawn("start", "--json")
    await until(() => second.stderr().includes("waiting for the daemon"), "the second to wait")
    cli.goOn()
    const [one, two] = await Promise.all([first.ended, second.ended])
    expect([one.json.wasRunning, two.json.wasRunning]).toEqual([false, true])
    expect(two.json.url).toBe(one.json.url)
  }, 20_000)

  test("shows how the start goes, on stderr", async () => {
    const { path } = await natsServer()
    await using cli = await commandLine((folder) => {
      writeScript(folder.join("bad", "nats-server"), "exit 3")
      writeScript(folder.join("good", "nats-server"), `exec ${path} "$@"`)
      return {
        BUNHOUSE_NATS_SERVER: "",
        PATH: `${folder.join("bad")}:${folder.join("good")}:${process.env["PATH"]}`,
      }
    })
    const { stdout, stderr } = await cli.run("start")
    expect(stderr).toMatch(/^bunhouse: passed over: .*bad\/nats-server/)
    expect(stdout.trim().split("\n")).toHaveLength(1)
  })

  test("begins anew after kill -9", async () => {
    await using cli = await commandLine()
    const { json } = await cli.run("start", "--json")
    sendSignal(json.pid, "SIGKILL")
    await until(() => !isRunning(json.pid), "the daemon's end")
    const again = await cli.run("start", "--json")
    expect(again.exitCode).toBe(0)
    expect(again.json.wasRunning).toBe(false)
    expect(again.json.pid).not.toBe(json.pid)
  })

  test.each(["", "{", "null", '{"pid": "no"}', '{"pid": 1, "bootId": "b"}'])(
    "does not mind a broken daemon.json: %p",
    async (text) => {
      await using cli = await commandLine()
      mkdirSync(cli.home.root, { mode: 0o700 })
      writeFileSync(cli.home.daemon, text)
      expect((await cli.run("start")).exitCode).toBe(0)
      expect((await cli.run("status", "--json")).json.running).toBe(true)
    },
  )
})

describe("bunhouse start that fails", () => {
  test("names a port that is taken, and leaves nothing running", async () => {
    await using cli = await commandLine()
    using taken = await takenPort()
    for (const words of [[], ["--json"]]) {
      const ran = await cli.run("start", "--port", String(taken.port), ...words)
      expect(ran.exitCode).toBe(6)
      expect(ran.stderr).toContain(`port ${taken.port} on 127.0.0.1 is taken by another program`)
      if (words.length > 0) expect(ran.json.error.code).toBe("UNAVAILABLE")
      else expect(ran.stdout).toBe("")
      await until(() => cli.processes().length === 0, "an end of all processes")
    }
    expect((await cli.run("status")).exitCode).toBe(7)
  })

  test("all of many at once name the port that is taken", async () => {
    await using cli = await commandLine()
    using taken = await takenPort()
    const words = ["start", "--port", String(taken.port)]
    const all = await Promise.all(Array.from({ length: 8 }, () => cli.run(...words)))
    expect(all.map(({ exitCode }) => exitCode)).toEqual(Array.from({ length: 8 }, () => 6))
    for (const { stderr } of all) expect(stderr).toContain("is taken by another program")
    await until(() => cli.processes().length === 0, "an end of all processes")
  }, 60_000)

  test("passes the daemon's reason on", async () => {
    await using cli = await commandLine(() => ({
      BUNHOUSE_NATS_SERVER: "/nowhere/nats-server",
    }))
    const { exitCode, stderr } = await cli.run("start")
    expect(exitCode).toBe(6)
    expect(stderr).toContain("BUNHOUSE_NATS_SERVER: ")
    expect(cli.processes()).toEqual([])
  })

  test("passes the words of a broker on that refuses its credentials", async () => {
    await using cluster = await startCluster()
    const url = cluster.url.replace(cluster.password, "wrong")
    await using cli = await commandLine(() => ({ BUNHOUSE_NATS_URL: url }))
    const { exitCode, stderr } = await cli.run("start")
    expect(exitCode).toBe(3)
    expect(stderr).toMatch(/^bunhouse: the broker at nats:\/\/127\.0\.0\.1:\d+ cannot be reached: /)
    expect(stderr).not.toContain("BUNHOUSE_TOKEN")
  })

  test("shows the end of the log of a daemon that died without a word", async () => {
    await using cli = await commandLine((folder) => {
      const preload = folder.join("preload.ts")
      writeFileSync(preload, DYING)
      return { BUN_OPTIONS: `--preload=${preload}` }
    })
    const { exitCode, stderr } = await cli.run("start")
    expect(exitCode).toBe(6)
    expect(stderr).toContain("the daemon ended while it started (exit code 9); the end of its log:")
    expect(stderr).toContain("no \\x1b[2Jluck")
  })

  test("refuses a state folder that others may enter, and one that is a file", async () => {
    await using cli = await commandLine()
    mkdirSync(cli.home.root, { mode: 0o700 })
    chmodSync(cli.home.root, 0o755)
    const open = await cli.run("start")
    expect(open.exitCode).toBe(3)
    expect(open.stderr).toContain(`run \`chmod 700 ${cli.home.root}\``)
    writeFileSync(cli.folder.join("file"), "")
    await using other = await commandLine(() => ({
      BUNHOUSE_HOME: cli.folder.join("file"),
    }))
    const file = await other.run("start")
    expect(file.exitCode).toBe(3)
    expect(file.stderr).toContain(cli.folder.join("file"))
  })

  test("takes its daemon along when it is interrupted", async () => {
    await using cli = await slowCommandLine()
    const starting = cli.spawn("start")
    await cli.isStarting()
    starting.kill("SIGINT")
    expect((await starting.ended).exitCode).toBe(130)
    cli.goOn() // The probe of nats-server outlives the daemon, but not by much.
    await until(() => cli.processes().length === 0, "an end of all processes")
  })

  test("gives a daemon that hangs up after a while, and tells how to end it", async () => {
    await using cli = await commandLine()
    const { json } = await cli.run("start", "--json")
    sendSignal(json.pid, "SIGSTOP")
    const { exitCode, stderr } = await cli.run("start")
    expect(exitCode).toBe(6)
    expect(stderr).toContain(`(process ${json.pid}) does not get ready`)
    expect(stderr).toContain("end it with `bunhouse stop`")
  }, 40_000)
})

describe("bunhouse start --foreground", () => {
  test("runs until it is interrupted, with its log on stderr", async () => {
    await using cli = await commandLine()
    const daemon = cli.spawn("start", "--foreground", "--json")
    await until(() => daemon.stdout() !== "", "the daemon")
    const pid = cli.daemonPid()
    expect(JSON.parse(daemon.stdout()).pid).toBe(pid)
    daemon.kill("SIGINT")
    const { exitCode, stderr } = await daemon.ended
    expect(exitCode).toBe(0)
    expect(stderr).toMatch(/broker ready.*\n.* started .*\n.* stopping .*\n(.*\n)*.* stopped\n/)
    expect(isRunning(pid)).toBe(false)
  })

  test("ends when another terminal stops the daemon", async () => {
    await using cli = await commandLine()
    const daemon = cli.spawn("start", "--foreground")
    await until(() => daemon.stdout() !== "", "the daemon")
    expect((await cli.run("stop")).stdout).toContain("stopped the daemon")
    expect((await daemon.ended).exitCode).toBe(0)
  })

  test("takes its daemon along when it is killed", async () => {
    await using cli = await commandLine()
    const daemon = cli.spawn("start", "--foreground")
    await until(() => daemon.stdout() !== "", "the daemon")
    daemon.kill("SIGKILL")
    await daemon.ended
    await until(() => cli.processes().length === 0, "an end of all processes")
  })

  test("is refused where a daemon runs already", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const { exitCode, stderr } = await cli.run("start", "--foreground")
    expect(exitCode).toBe(6)
    expect(stderr).toContain("end it with `bunhouse stop` first")
  })
})

async function takenPort(): Promise<Disposable & { readonly port: number }> {
  const server = createServer((socket) => socket.end())
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("expected a port")
  return { port: address.port, [Symbol.dispose]: () => void server.close() }
}

const DYING = `
if (Bun.main.endsWith("server/main.ts")) {
  console.error("no \\x1b[2Jluck")
  process.exit(9)
}
`
