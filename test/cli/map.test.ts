import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fn } from "../../client/index.ts"
import { type CommandLine, commandLine } from "./command-line.ts"

let cli: CommandLine

beforeAll(async () => {
  cli = await commandLine()
  await cli.run("start")
  await fn(
    async function square(x: number) {
      if (x === 13) throw new RangeError("bad luck")
      return x * x
    },
    { name: "square" },
  ).to(cli.connect())
  await fn((a: number, b: number) => a + b, { name: "add" }).to(cli.connect())
  await fn(async () => Bun.sleep(60_000), { name: "nap" }).to(cli.connect())
})

afterAll(() => cli[Symbol.asyncDispose]())

function file(text: string): string {
  const path = cli.folder.join(`items-${crypto.randomUUID()}.ndjson`)
  writeFileSync(path, text)
  return path
}

describe("bunhouse map", () => {
  test("prints one line for each line, in order; empty lines are none", async () => {
    const { exitCode, stdout, stderr } = await cli.run("map", "square", "--file", file("1\n2\n\n3"))
    expect([exitCode, stdout, stderr]).toEqual([0, "1\n4\n9\n", ""])
    const pairs = file("[1, 2]\r\n[3, 4]\r\n")
    expect((await cli.run("map", "add", "--file", pairs, "--spread")).stdout).toBe("3\n7\n")
    expect((await cli.run("map", "square", "--file", file(""))).stdout).toBe("")
  })

  test("takes items from stdin", () => {
    const program = join(import.meta.dir, "../../cli/main.ts")
    const lines = Array.from({ length: 2_000 }, (_, i) => `${i + 100}\n`).join("")
    const child = Bun.spawnSync([process.execPath, program, "map", "default/square"], {
      env: { ...cli.variables },
      stdin: Buffer.from(lines),
    })
    const squares = Array.from({ length: 2_000 }, (_, i) => `${(i + 100) ** 2}\n`).join("")
    expect([child.stderr.toString(), child.stdout.toString()]).toEqual(["", squares])
  })

  test("ends at the first failure, or tells it among the results", async () => {
    const path = file("2\n13\n3\n")
    const { exitCode, stdout, stderr } = await cli.run("map", "square", "--file", path)
    expect([exitCode, stdout]).toEqual([1, "4\n"])
    expect(stderr).toStartWith("square threw RangeError: bad luck")
    const settled = await cli.run("map", "square", "--file", path, "--settled")
    expect(settled.exitCode).toBe(1)
    const results = settled.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
    expect(results).toEqual([
      { status: "fulfilled", value: 4 },
      { status: "rejected", reason: expect.objectContaining({ name: "RangeError" }) },
      { status: "fulfilled", value: 9 },
    ])
  })

  test("--json prints the same lines, and a failure behind them", async () => {
    const path = file("2\n13\n3\n")
    const done = await cli.run("map", "square", "--file", file("1\n2\n"), "--json")
    expect([done.exitCode, done.stdout]).toEqual([0, "1\n4\n"])
    const settled = await cli.run("map", "square", "--file", path, "--settled", "--json")
    expect(settled.stdout).toBe(
      (await cli.run("map", "square", "--file", path, "--settled")).stdout,
    )
    const threw = await cli.run("map", "square", "--file", path, "--json")
    expect(threw.exitCode).toBe(1)
    const [first, ...rest] = threw.stdout.trimEnd().split("\n")
    expect([first, rest.length]).toEqual(["4", 1])
    expect(JSON.parse(rest.join())).toEqual({
      error: { name: "RangeError", message: "bad luck", stack: expect.any(String) },
    })
    const late = await cli.run("map", "nap", "--file", path, "--timeout", "50ms", "--json")
    expect([late.exitCode, late.json.error.code]).toEqual([8, "DEADLINE_EXCEEDED"])
  })

  test("shows what functions print as messages, unless it is to be quiet", async () => {
    await fn(function talk(x: number) {
      console.log("got", x)
      return x
    }).to(cli.connect())
    const loud = await cli.run("map", "talk", "--file", file("1\n"))
    expect([loud.stdout, loud.stderr]).toEqual(["1\n", "got 1\n"])
    const words = ["map", "talk", "--file", file("1\n")]
    const quiet = await cli.spawnWith({ BUNHOUSE_QUIET: "1" }, ...words).ended
    expect([quiet.stdout, quiet.stderr]).toEqual(["1\n", ""])
  })

  test("refuses what is no JSON by its number, and files that are not there", async () => {
    const bad = await cli.run("map", "square", "--file", file("1\n{\n"))
    expect([bad.exitCode, bad.stderr]).toEqual([2, "bunhouse: line 2 is not JSON: {\n"])
    expect((await cli.run("map", "square", "--file", "/nowhere")).exitCode).toBe(4)
    expect((await cli.run("map", "nope", "--file", file("1\n"))).exitCode).toBe(4)
    expect((await cli.run("map", "add", "--spread", "--file", file("1\n"))).exitCode).toBe(2)
  })
})
