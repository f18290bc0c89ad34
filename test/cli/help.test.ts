import { describe, expect, test } from "bun:test"
import { EXIT_CODES, exitOf } from "../../cli/exit-codes.ts"
import { COMMANDS } from "../../cli/help.ts"
import manifest from "../../package.json" with { type: "json" }
import { ERROR_CODES, fromErrorRecord } from "../../protocol/errors.ts"
import { commandLine } from "./command-line.ts"

describe("bunhouse --help", () => {
  test("begins with examples, lists all commands and ends with the exit codes", async () => {
    await using cli = await commandLine()
    const { exitCode, stdout, stderr } = await cli.run("--help")
    expect([exitCode, stderr]).toEqual([0, ""])
    expect(stdout).toStartWith("Examples:\n  bunhouse start ")
    for (const name of Object.keys(COMMANDS))
      expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"))
    for (const exit of Object.keys(EXIT_CODES))
      expect(stdout).toMatch(new RegExp(`^ +${exit}  `, "m"))
  })

  test.each(Object.entries(COMMANDS))("of %s begins with its examples", async (name, help) => {
    await using cli = await commandLine()
    const { exitCode, stdout } = await cli.run(name, "--help")
    expect(exitCode).toBe(0)
    expect(stdout).toStartWith("Examples:\n")
    for (const [line] of help.examples) {
      expect(line).toContain(`bunhouse ${name}`)
      expect(stdout.indexOf(line)).toBeLessThan(stdout.indexOf("Usage:"))
    }
    expect(stdout).toContain("--json")
    for (const exit of help.exits) expect(EXIT_CODES[exit]).toBeString()
    expect(await cli.run("help", name)).toMatchObject({ exitCode: 0, stdout })
  })
})

describe("bunhouse, wrongly used,", () => {
  test.each([
    [["stauts"], "Did you mean status?"],
    [["start", "--prot", "1"], "Did you mean --port?"],
    [["status", "now"], "too many arguments"],
    [["call"], "missing required argument 'function'"],
    [["stop", "--timeout"], "argument missing"],
    [["start", "--port", "http"], 'expected --port to be a port from 0 to 65535, got "http"'],
    [["stop", "--timeout", "5"], "expected --timeout to be a time such as 500ms, 2s or 5m"],
    [[], "Usage: bunhouse"],
  ])("%p exits with 2 and a hint on stderr", async (words, hint) => {
    await using cli = await commandLine()
    const { exitCode, stdout, stderr } = await cli.run(...words)
    expect([exitCode, stdout]).toEqual([2, ""])
    expect(stderr).toContain(hint)
  })

  test("tells a program so in JSON", async () => {
    await using cli = await commandLine()
    const { exitCode, json } = await cli.run("status", "--foo", "--json")
    expect(exitCode).toBe(2)
    expect(json.error).toEqual({
      code: "INVALID_ARGUMENT",
      message: "unknown option '--foo'",
      ran: "no",
    })
  })
})

describe("exit codes", () => {
  test.each(Object.entries(ERROR_CODES))("%s has one with a meaning", (code, { exit }) => {
    expect(exitOf(fromErrorRecord({ code, message: "…", ran: "no" }))).toBe(exit)
    expect(EXIT_CODES[exit]).toBeString()
  })
})

describe("bunhouse version", () => {
  test("prints that of the package", async () => {
    await using cli = await commandLine()
    expect((await cli.run("version")).stdout).toBe(`${manifest.version}\n`)
    expect((await cli.run("--version")).stdout).toBe(`${manifest.version}\n`)
    expect((await cli.run("version", "--json")).json).toEqual({
      version: manifest.version,
      protocol: expect.any(Number),
      bun: Bun.version,
    })
  })
})
