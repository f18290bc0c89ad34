import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { mkdirSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fn } from "../../client/index.ts"
import { until } from "../support/until.ts"
import { type CommandLine, commandLine } from "./command-line.ts"

let cli: CommandLine
let folder: string
let count = 0

beforeAll(async () => {
  cli = await commandLine()
  await cli.run("start")
})
afterAll(() => cli[Symbol.asyncDispose]())
beforeEach(() => {
  folder = cli.folder.join(`program-${count++}`)
  mkdirSync(folder)
})

function write(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** As many editors save: the file is another one afterwards. */
function replace(name: string, text: string): void {
  renameSync(write(`${name}.new`, text), join(folder, name))
}

function slowly(n: number): string {
  return `export const f = async () => { await Bun.sleep(20); return ${n} }`
}

async function call(address: string, ...args: string[]): Promise<unknown> {
  return (await cli.run("call", address, ...args)).stdout.trim()
}

describe("bunhouse deploy", () => {
  test("sends all that a file exports, and says what it sent and its version", async () => {
    write("part.ts", "export const part = 40")
    const jobs = write(
      "jobs.ts",
      `import { part } from "./part.ts"
      export async function plus(x: number) { return part + x }
      export const twice = (x: number) => 2 * x`,
    )
    const { exitCode, stdout } = await cli.run("deploy", jobs, "--env", "lab")
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(
      /^sent lab\/jobs \(module: plus, twice\), version [0-9a-f]{16}, in \d+ ms\n$/,
    )
    expect([await call("lab/jobs.plus", "2"), await call("lab/jobs.twice", "2")]).toEqual([
      "42",
      "4",
    ])
    const again = await cli.run("deploy", jobs, "--env", "lab", "--json")
    expect(again.json).toMatchObject({ changed: false, info: { env: "lab", kind: "module" } })
    expect(stdout).toContain(again.json.info.version)
    expect((await cli.run("deploy", jobs, "--env", "lab")).stdout).toMatch(
      /^lab\/jobs is unchanged/,
    )
  })

  test("sends one function or class of it, as `fn` and `cls` would", async () => {
    const file = write(
      "one.ts",
      `const step = 2
      console.log("printed while it loads")
      export async function add(x: number) { return x + step }
      export class Counter { async next() { return step } }
      export default (x: number) => x * step
      export const table = new Map()`,
    )
    const sent = await cli.run("deploy", `${file}:add`, "--json")
    expect(sent.json).toMatchObject({ changed: true, info: { env: "default", kind: "async" } })
    expect(sent.stderr).toContain("printed while it loads\n")
    expect(await call("add", "1")).toBe("3")
    await cli.run("deploy", `${file}:Counter`, "--name", "Mine")
    const Mine = await cli.connect().getClass<new () => { next(): Promise<number> }>("Mine")
    await using mine = await Mine.create()
    expect(await mine.next()).toBe(2)
    expect((await cli.run("deploy", `${file}:default`)).stdout).toStartWith(
      "sent default/one (sync",
    )
    expect(await call("one", "4")).toBe("8")
    const value = await cli.run("deploy", `${file}:table`)
    expect([value.exitCode, value.stdout]).toEqual([2, ""])
    expect(value.stderr).toContain("a value of type object cannot be sent")
  })

  test.each([
    ["missing.ts", 4, 'there is no file "missing.ts"'],
    ["bad.ts", 2, "bad.ts:1"],
    ["bad.ts:f", 2, "bad.ts cannot be loaded"],
    ["throws.ts", 5, "RangeError: top"],
    ["throws.ts:f", 2, "RangeError: top"],
    ["exits.ts:f", 5, "ended the process that loads it (exit code 7)"],
    ["forever.ts:f", 5, "did not load within 500 ms"],
    ["good.ts:g", 4, "has no export g; it has f"],
    ["good.ts:", 2, "expected the name of an export behind"],
    ["captures.ts:f", 2, "captures.ts:1"],
  ])("of %s exits with %d and says %p", async (target, exit, reason) => {
    const good = "export const f = async () => 1"
    write("good.ts", good)
    write("bad.ts", `${good}; const = 5`)
    write("throws.ts", `throw new RangeError("top"); ${good}`)
    write("exits.ts", `process.exit(7); ${good}`)
    write("forever.ts", `for (;;); ${good}`)
    write("captures.ts", `export let n = 1; n++; export const f = async () => n++`)
    const path = target === "missing.ts" ? target : join(folder, target)
    const words = ["deploy", path, "--env", "bad"]
    // What loads at all has to have the time for it, also on a busy machine.
    if (target.startsWith("forever")) words.push("--timeout", "500ms")
    const ran = await cli.run(...words)
    expect([ran.exitCode, ran.stdout]).toEqual([exit, ""])
    expect(ran.stderr).toContain(reason)
    const json = await cli.run(...words, "--json")
    expect(json.json.error.message).toContain(reason)
  })

  test("of a module that ends its process leaves what was there", async () => {
    const file = write("slow.ts", "export const f = async () => 1")
    await cli.run("deploy", file, "--env", "slow")
    write("slow.ts", "process.exit(3); export const f = async () => 2")
    expect(await cli.run("deploy", file, "--env", "slow")).toMatchObject({ exitCode: 5 })
    expect(await call("slow/slow.f")).toBe("1")
  })
})

describe("bunhouse deploy --watch", () => {
  test("sends again on every save of any of its files, over errors, until it is ended", async () => {
    write("part.ts", "export const part = 1")
    const file = write(
      "jobs.ts",
      `import { part } from "./part.ts"\nexport const f = async () => part`,
    )
    const watch = cli.spawn("deploy", `${file}:f`, "--env", "watch", "--watch")
    await until(() => watch.stderr().includes("watching 2 files"), "the first time")
    expect(await call("watch/f")).toBe("1")

    write("part.ts", "export const part = 22")
    await until(async () => (await call("watch/f")) === "22", "an import to be sent")
    replace("part.ts", "export const part = 333")
    await until(async () => (await call("watch/f")) === "333", "a replaced file to be sent")

    replace("jobs.ts", `export const f = async () => {`)
    await until(() => watch.stderr().includes("cannot be loaded"), "the syntax error to be told")
    expect(await call("watch/f")).toBe("333")
    replace("jobs.ts", `import { other } from "./other.ts"\nexport const f = async () => other`)
    await until(() => watch.stderr().includes("other.ts"), "the missing file to be told")
    write("other.ts", "export const other = 4444")
    await until(async () => (await call("watch/f")) === "4444", "the new file to be sent")

    const versions = watch.stdout().match(/^sent watch\/f .*version [0-9a-f]{16}/gm) ?? []
    expect(versions).toHaveLength(4)
    expect(new Set(versions).size).toBe(4)
    watch.kill("SIGINT")
    await watch.ended
  })

  test("tells each time as a line of JSON, also that there is no daemon", async () => {
    const file = write("jobs.ts", "export const f = async () => 1")
    await using other = await commandLine()
    const watch = other.spawn("deploy", file, "--watch", "--json")
    const lines = () =>
      watch
        .stdout()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line || "{}"))
    await until(() => watch.stderr().includes("watching 1 file"), "the first time")
    expect(lines()).toMatchObject([{ error: { code: "NO_DAEMON" } }])
    await other.run("start")
    write("jobs.ts", "export const f = async () => 2")
    await until(() => lines().length === 2, "the second time")
    expect(lines()[1]).toMatchObject({ changed: true, info: { name: "jobs", kind: "module" } })
    const f = await other.connect().get<() => Promise<number>>("jobs.f")
    expect(await f()).toBe(2)
    watch.kill("SIGTERM")
    await watch.ended
  })

  test("loses no call that is made meanwhile", async () => {
    const file = write("calls.ts", slowly(0))
    const watch = cli.spawn("deploy", `${file}:f`, "--env", "calls", "--watch")
    await until(() => watch.stdout().includes("sent"), "the first time")
    const f = await cli.connect().get<() => Promise<number>>("calls/f")
    const seen: number[] = []
    for (let n = 1; n <= 3; n++) {
      replace("calls.ts", slowly(n))
      await until(async () => {
        seen.push(await f())
        return seen.at(-1) === n
      }, `version ${n}`)
    }
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    expect(new Set(seen)).toEqual(new Set([0, 1, 2, 3]))
    watch.kill("SIGTERM")
    await watch.ended
  })
})

test("what is deployed is what a program sends", async () => {
  const file = write("same.ts", "export async function same() { return 5 }")
  const { json } = await cli.run("deploy", `${file}:same`, "--json")
  const { same }: { same: () => Promise<number> } = await import(file)
  const remote = await fn(same).to(cli.connect())
  expect(remote.info.version).toBe(json.info.version)
})
