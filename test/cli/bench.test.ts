import { describe, expect, test } from "bun:test"
import { commandLine } from "./command-line.ts"

const SHORT = ["--calls", "50", "--flights", "8", "--time", "50ms"]

describe("bunhouse bench", () => {
  test("prints two lines of figures, and leaves no env behind", async () => {
    await using cli = await commandLine()
    await cli.run("start")
    const { exitCode, stdout, stderr } = await cli.run("bench", ...SHORT)
    expect([exitCode, stderr]).toEqual([0, ""])
    expect(stdout).toMatch(/^one call at a time {3}p50 \d+ µs .* max \d+ µs {3}\(50 calls\)$/m)
    expect(stdout).toMatch(/^8 in flight +[\d,]+ calls\/s$/m)
    const { json } = await cli.run("bench", ...SHORT, "--json")
    expect(json).toMatchObject({ calls: 50, inFlight: 8 })
    expect(json.callsPerSecond).toBeGreaterThan(0)
    expect((await cli.run("status", "--json")).json.envs).toEqual([])
  })

  test.each([["--calls"], ["--flights"], ["--time"]])("refuses nothing of %s", async (option) => {
    await using cli = await commandLine()
    const { exitCode, stderr } = await cli.run("bench", option, "0")
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("more than 0")])
  })

  test("without a daemon says so", async () => {
    await using cli = await commandLine()
    const { exitCode, stderr } = await cli.run("bench", ...SHORT)
    expect([exitCode, stderr]).toEqual([7, expect.stringContaining("no daemon is running")])
  })
})
