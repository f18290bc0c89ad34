import { describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { until } from "../support/until.ts"
import { type CommandLine, commandLine } from "./command-line.ts"
import { sendSignal } from "../support/processes.ts"

describe("bunhouse status", () => {
  test("without a daemon says so, and how to start one", async () => {
    await using cli = await commandLine()
    const { exitCode, stdout, stderr } = await cli.run("status")
    expect([exitCode, stdout]).toEqual([7, ""])
    expect(stderr).toBe(
      `bunhouse: no daemon is running in ${cli.home.root}; start one with \`bunhouse start\`\n`,
    )
    const json = await cli.run("status", "--json")
    expect([json.exitCode, json.json.running]).toEqual([7, false])
  })

  test("after kill -9 says the same, whoever has the port now", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    sendSignal(cli.daemonPid(), "SIGKILL")
    await until(() => cli.processes().length === 0, "the daemon's end")
    for (const command of [["status"], ["ls"], ["call", "f"]]) {
      const { exitCode, stderr } = await cli.run(...command)
      expect([exitCode, stderr]).toEqual([7, expect.stringContaining("no daemon is running")])
    }
  })

  test("shows daemon, broker and envs, to people and to programs", async () => {
    await using cli = await withFunctions()
    const { exitCode, stdout } = await cli.run("status")
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^daemon {2}running at http:\/\/127\.0\.0\.1:\d+$/m)
    expect(stdout).toContain(`process ${cli.daemonPid()}`)
    expect(stdout).toMatch(/^broker {2}connected to nats:/m)
    expect(stdout).toMatch(/^math +ready +\d+ +0 +0 +1 +0 +0$/m)
    const { json } = await cli.run("status", "--json")
    expect(json).toMatchObject({ running: true, state: "running", pid: cli.daemonPid() })
    expect(json.envs.map(({ name }: { name: string }) => name).toSorted()).toEqual([
      "default",
      "math",
    ])
  })

  test("gives up on a daemon that does not answer", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    sendSignal(cli.daemonPid(), "SIGSTOP")
    const { exitCode, stderr } = await cli.run("status")
    expect([exitCode, stderr]).toEqual([8, expect.stringContaining("did not answer")])
  }, 15_000)

  test("asks the daemon that BUNHOUSE_URL names", async () => {
    await using cli = await commandLine()
    const { json } = await cli.run("start", "--json")
    await using elsewhere = await commandLine(() => ({
      BUNHOUSE_URL: json.url,
      BUNHOUSE_TOKEN: "wrong-token-wrong-token",
    }))
    const { exitCode, stderr } = await elsewhere.run("status")
    expect([exitCode, stderr]).toEqual([3, expect.stringContaining("does not accept this token")])
  })
})

describe("bunhouse ls", () => {
  test("lists functions by env, to people and to programs", async () => {
    await using cli = await withFunctions()
    const { exitCode, stdout } = await cli.run("ls")
    expect(exitCode).toBe(0)
    const lines = stdout.split("\n").map((line) => line.split(/\s+/))
    expect(lines).toMatchObject([
      ["FUNCTION", "KIND", "RUNS", "ON", "VERSION"],
      ["default/greet", "sync", "thread", expect.stringMatching(/^[0-9a-f]{16}$/)],
      ["math/add", "async", "loop", expect.any(String)],
      [""],
    ])
    const { json } = await cli.run("ls", "--json")
    expect(json.functions).toHaveLength(2)
    expect(json.functions[0]).toMatchObject({ kind: expect.any(String), run: expect.any(String) })
  })

  test("without functions says how to send one", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const { exitCode, stdout, stderr } = await cli.run("ls")
    expect([exitCode, stdout]).toEqual([0, ""])
    expect(stderr).toContain("no function was sent yet")
    expect((await cli.run("ls", "--json")).json).toEqual({ functions: [] })
  })
})

async function withFunctions(): Promise<CommandLine> {
  const cli = await commandLine()
  await cli.run("start")
  const here = cli.connect()
  await fn(async function add(a: number, b: number) {
    return a + b
  }).to(here.env("math"))
  await fn(function greet(name: string) {
    return `hello ${name}`
  }).to(here)
  return cli
}
