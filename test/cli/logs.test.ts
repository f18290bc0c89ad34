import { describe, expect, test } from "bun:test"
import { appendFileSync, mkdirSync, renameSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fn } from "../../client/index.ts"
import { until } from "../support/until.ts"
import { type CommandLine, commandLine } from "./command-line.ts"

describe("bunhouse logs", () => {
  test("shows the daemon's log, for people and as JSON lines", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    await cli.run("stop")
    const { exitCode, stdout } = await cli.run("logs")
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}started {2}url=http:\S+ pid=/m,
    )
    const json = await cli.run("logs", "--json", "-n", "1")
    expect(json.json).toMatchObject({ event: "stopped", time: expect.any(String) })
  })

  test("shows what functions of an env wrote, with control characters as escapes", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const speak = await fn(async function speak(text: string) {
      console.log(text)
    }).to(cli.connect().env("An env, with a name"))
    await speak("red \u001b[31m alert \u202e")
    const { stdout } = await cli.run("logs", "An env, with a name")
    expect(stdout).toMatch(
      /^[-\d]{10} [:.\d]{12} {2}speak [0-9a-f]{8}-\w+ {2}red \\x1b\[31m alert \\u202e\n$/,
    )
    const { json } = await cli.run("logs", "An env, with a name", "--json")
    expect(json).toEqual({
      time: expect.any(String),
      function: "speak",
      call: expect.any(String),
      stream: "stdout",
      text: "red \u001b[31m alert \u202e",
    })
    const of = async (call: string) =>
      (await cli.run("logs", "An env, with a name", "--call", call)).stdout
    expect([await of(json.call), await of("nope-1")]).toEqual([stdout, ""])
    expect((await cli.run("logs", "--call", json.call)).exitCode).toBe(2)
  })

  test("says that there is none", async () => {
    await using cli = await commandLine()
    const daemon = await cli.run("logs")
    expect([daemon.exitCode, daemon.stderr]).toEqual([
      4,
      expect.stringContaining("no daemon was started there yet"),
    ])
    const env = await cli.run("logs", "math", "--json")
    expect([env.exitCode, env.json.error.code]).toEqual([4, "NOT_FOUND"])
    expect((await cli.run("logs", "a/b")).exitCode).toBe(2)
    expect((await cli.run("logs", "-n", "many")).exitCode).toBe(2)
  })

  test("-n counts from the end", async () => {
    await using cli = await withLog("one\ntwo\nthree\n")
    expect((await cli.run("logs", "math", "-n", "2")).stdout).toBe("two\nthree\n")
    expect((await cli.run("logs", "math", "-n", "0")).stdout).toBe("")
    expect((await cli.run("logs", "math")).stdout).toBe("one\ntwo\nthree\n")
  })

  test("-f follows a log that comes, is cut, and is replaced", async () => {
    await using cli = await commandLine()
    const path = join(cli.home.logs, "p-math.log")
    const following = cli.spawn("logs", "math", "-f")
    const shows = (text: string) =>
      until(() => following.stdout().endsWith(text), `${text} (${following.stdout()})`)
    await until(() => following.stderr().includes("there is no log yet"), "a word about that")
    mkdirSync(cli.home.logs, { recursive: true })
    writeFileSync(path, "first\nsec")
    await shows("first\n")
    appendFileSync(path, "ond\n")
    await shows("first\nsecond\n")
    truncateSync(path)
    appendFileSync(path, "cut\n")
    await shows("second\ncut\n")
    appendFileSync(path, "before\n")
    renameSync(path, `${path}.1`)
    writeFileSync(path, "after\n")
    await shows("cut\nbefore\nafter\n")
    following.kill("SIGINT")
    await following.ended
  })

  test("is content with a reader that leaves", async () => {
    await using cli = await withLog("a line\n".repeat(100_000))
    const program = join(import.meta.dir, "../../cli/main.ts")
    const words = [process.execPath, program, "logs", "math", "-n", "100000"]
    const child = Bun.spawnSync(["sh", "-c", `"$@" | head -n 1`, "sh", ...words], {
      env: { ...cli.variables },
    })
    expect([child.stdout.toString(), child.stderr.toString()]).toEqual(["a line\n", ""])
  })
})

async function withLog(text: string): Promise<CommandLine> {
  const cli = await commandLine()
  mkdirSync(cli.home.logs, { recursive: true })
  writeFileSync(join(cli.home.logs, "p-math.log"), text)
  return cli
}
