import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { temporaryFolder } from "../support/folder.ts"
import { startHttpProxy } from "../support/http-proxy.ts"
import { until } from "../support/until.ts"
import { type CommandLine, commandLine } from "./command-line.ts"
import { sendSignal } from "../support/processes.ts"

/** One daemon for all tests of this file: each of them has a function of its own. */
let cli: CommandLine

beforeAll(async () => {
  cli = await commandLine()
  await cli.run("start")
})

afterAll(() => cli[Symbol.asyncDispose]())

describe("bunhouse call", () => {
  test("passes arguments as words, and prints the result as one line of JSON", async () => {
    await fn(async function echo(...args: unknown[]) {
      return args
    }).to(cli.connect().env("tools"))
    const call = async (...words: string[]) =>
      (await cli.run("call", "tools/echo", ...words)).stdout
    expect(await call()).toBe("[]\n")
    expect(await call("1", "-2", "true", "null", "Ada", '"2"')).toBe('[1,-2,true,null,"Ada","2"]\n')
    expect(await call('[1, {"a": 2}]')).toBe('[1,{"a":2}]\n')
    expect(await call("[[1, 2]]")).toBe("[[1,2]]\n")
    expect(await call("--", "-x", "--json")).toBe('["-x","--json"]\n')
    expect(await call("[1", "", "é€😀")).toBe('["[1","","é€😀"]\n')
  })

  test("runs functions of either kind, and knows the env `default`", async () => {
    await fn(function shout(text: string) {
      return text.toUpperCase()
    }).to(cli.connect())
    expect((await cli.run("call", "shout", "hi")).stdout).toBe('"HI"\n')
    expect((await cli.run("call", "default/shout", "hi", "--json")).json).toBe("HI")
  })

  test("prints nothing for undefined, and null as a document", async () => {
    await fn(async function nothing() {}).to(cli.connect())
    expect(await cli.run("call", "nothing")).toMatchObject({ exitCode: 0, stdout: "" })
    expect((await cli.run("call", "nothing", "--json")).json).toBeNull()
  })

  test("shows what the function threw with its remote stack, and exits with 1", async () => {
    await fn(async function fail(text: string) {
      throw new TypeError(text, { cause: new RangeError("too far") })
    }).to(cli.connect())
    const { exitCode, stdout, stderr } = await cli.run("call", "fail", "no \u001b[2J luck")
    expect([exitCode, stdout]).toEqual([1, ""])
    expect(stderr).toStartWith("default/fail threw TypeError: no \\x1b[2J luck\n    at fail (")
    expect(stderr).toContain("caused by: RangeError: too far\n    at ")
    const { json } = await cli.run("call", "fail", "x", "--json")
    expect(json.error).toMatchObject({ name: "TypeError", message: "x", stack: expect.any(String) })
  })

  test("shows what is thrown and is no error", async () => {
    await fn(async function throwText() {
      throw "oops"
    }).to(cli.connect())
    const { exitCode, stderr } = await cli.run("call", "throwText")
    expect([exitCode, stderr]).toEqual([1, 'default/throwText threw "oops"\n'])
  })

  test("ends at its deadline, and says whether the function ran", async () => {
    await fn(async function nap(ms: number) {
      await Bun.sleep(ms)
      return ms
    }).to(cli.connect())
    const late = await cli.run("call", "nap", "5000", "--timeout", "100ms")
    expect(late.exitCode).toBe(8)
    expect(late.stderr).toMatch(/the deadline passed.* \(the function (ran|may have run)\)/)
    expect((await cli.run("call", "nap", "10", "--timeout", "0")).stdout).toBe("10\n")
  })

  test("is cancelled when it is interrupted", async () => {
    await fn(async function doze(path: string) {
      const { context } = await import("bunhouse")
      const { signal } = context()
      await Bun.write(path, "dozes")
      await new Promise((resolve) => signal.addEventListener("abort", resolve))
      await Bun.write(path, "was cancelled")
    }).to(cli.connect())
    using folder = temporaryFolder()
    const path = folder.join("mark")
    const calling = cli.spawn("call", "doze", path)
    const says = (text: string) => async () => {
      const mark = Bun.file(path)
      return (await mark.exists()) && (await mark.text()) === text
    }
    await until(says("dozes"), "the call to run")
    calling.kill("SIGINT")
    await calling.ended
    await until(says("was cancelled"), "the function to hear of it")
  })

  test("prints the items of a generator as lines of JSON, as they come", async () => {
    const here = cli.connect()
    await fn(async function* count(to: number, path: string) {
      for (let i = 0; i < to; i++) yield { i }
      while (!(await Bun.file(path).exists())) await Bun.sleep(10)
      yield undefined
      return "not an item"
    }).to(here)
    await fn(function* shouts(...words: string[]) {
      for (const word of words) yield word.toUpperCase()
    }).to(here)
    const path = cli.folder.join("go-on")
    const counting = cli.spawn("call", "count", "2", path)
    await until(() => counting.stdout() === '{"i":0}\n{"i":1}\n', "the first items")
    await Bun.write(path, "")
    const { exitCode, stdout, stderr } = await counting.ended
    expect([exitCode, stdout, stderr]).toEqual([0, '{"i":0}\n{"i":1}\nnull\n', ""])
    expect((await cli.run("call", "shouts", "a", "é", "--json")).stdout).toBe('"A"\n"É"\n')
    expect((await cli.run("call", "shouts")).stdout).toBe("")
  })

  test("prints items of any size, and many of them", async () => {
    const here = cli.connect()
    await fn(async function* large(count: number, length: number) {
      for (let i = 0; i < count; i++) yield "€".repeat(length)
    }).to(here)
    const { stdout } = await cli.run("call", "large", "2", "4000000")
    const line = `"${"€".repeat(4_000_000)}"\n`
    expect(stdout === line + line).toBe(true)
    expect((await cli.run("call", "large", "20000", "1")).stdout).toBe('"€"\n'.repeat(20_000))
  })

  test("says how a generator failed, behind its items", async () => {
    const here = cli.connect()
    await fn(async function* cut(how: string) {
      yield 1
      if (how === "throws") throw new RangeError("no more")
      if (how === "exits") process.exit(3)
      yield 10n
    }).to(here.env("cut"))
    const threw = await cli.run("call", "cut/cut", "throws")
    expect([threw.exitCode, threw.stdout]).toEqual([1, "1\n"])
    expect(threw.stderr).toStartWith("cut/cut threw RangeError: no more\n    at ")
    const late = await cli.run("call", "cut/cut", "yields", "--json")
    expect(late.exitCode).toBe(2)
    expect(late.stdout).toStartWith('1\n{"error":{"code":"VALUE_NOT_SENDABLE"')
    const lost = await cli.run("call", "cut/cut", "exits")
    expect([lost.exitCode, lost.stdout]).toEqual([9, "1\n"])
    expect(lost.stderr).toContain("the env process was lost during the call")
    expect(lost.stderr).toContain("(the function may have run)")
  })

  test("asks the daemon directly, and a proxy sees no token", async () => {
    using proxy = startHttpProxy()
    await using own = await commandLine(() => proxy.variables)
    await own.run("start")
    await fn(async function one() {
      return 1
    }).to(own.connect())
    expect((await own.run("call", "one")).stdout).toBe("1\n")
    expect((await own.run("status")).exitCode).toBe(0)
    expect(proxy.seen).toEqual([])
  })

  test("says that the env was lost", async () => {
    await fn(async function die() {
      process.exit(3)
    }).to(cli.connect().env("weak"))
    const { exitCode, stderr } = await cli.run("call", "weak/die")
    expect(exitCode).toBe(9)
    expect(stderr).toContain("the env process was lost during the call")
    expect(stderr).toContain("(the function may have run)")
  })

  test("says that the daemon was lost", async () => {
    await using own = await commandLine()
    await own.run("start")
    const here = own.connect()
    await fn(async function nap(ms: number) {
      await Bun.sleep(ms)
    }).to(here)
    const calling = own.spawn("call", "nap", "60000")
    await until(async () => (await here.status()).callsInFlight === 1, "the call to run")
    sendSignal(own.daemonPid(), "SIGKILL")
    const { exitCode, stderr } = await calling.ended
    expect(exitCode).toBe(9)
    expect(stderr).toMatch(/connection to the daemon was lost.*\(the function may have run\)/)
    expect((await own.run("call", "nap", "1")).exitCode).toBe(7)
  })

  test("says that a result is no JSON, with the function having run", async () => {
    await fn(async function big() {
      return 10n
    }).to(cli.connect())
    const { exitCode, json } = await cli.run("call", "big", "--json")
    expect(exitCode).toBe(2)
    expect(json.error).toMatchObject({ code: "VALUE_NOT_SENDABLE", ran: "yes" })
  })

  test("of what is not there, or cannot be, is refused", async () => {
    await fn(async function one() {}).to(cli.connect())
    for (const [target, exit] of [
      ["nope", 4],
      ["no/pe", 4],
      ["a/b/c", 2],
      ["", 2],
    ] as const) {
      const { exitCode, stdout, stderr } = await cli.run("call", target)
      expect([exitCode, stdout]).toEqual([exit, ""])
      expect(stderr).toStartWith("bunhouse: ")
    }
    expect((await cli.run("call", "one", "--timeout", "soon")).stderr).toContain(
      'expected --timeout to be a time such as 500ms, 2s or 5m, or 0, got "soon"',
    )
  })
})
