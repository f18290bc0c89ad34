import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { until } from "../support/until.ts"
import { type CommandLine, commandLine } from "./command-line.ts"

/** One daemon for all tests of this file. */
let cli: CommandLine

beforeAll(async () => {
  cli = await commandLine()
  await cli.run("start")
})

afterAll(() => cli[Symbol.asyncDispose]())

describe("bunhouse jobs", () => {
  test("lists jobs newest first, to people and to programs", async () => {
    const none = await cli.run("jobs")
    expect([none.exitCode, none.stdout]).toEqual([0, ""])
    expect(none.stderr).toContain("no jobs")
    const here = cli.connect()
    const echo = await fn(async (x: unknown) => x, { name: "echo" }).to(here.env("tools"))
    const start = (id: string) => echo.with({ job: { id, delayMs: 60_000 } }).start(1)
    await start("first")
    await start("second")
    await (await echo.with({ job: { id: "third" } }).start(1)).result()
    const { exitCode, stdout } = await cli.run("jobs")
    expect(exitCode).toBe(0)
    const [heading, ...lines] = stdout.trim().split("\n")
    expect(heading).toMatch(/^JOB +FUNCTION +STATE +ATTEMPTS +AGE$/)
    expect(lines[0]).toMatch(/^third +tools\/echo +succeeded +1\/1 +\d+ s$/)
    expect(lines[1]).toMatch(/^second +tools\/echo +queued +0\/1 +\d+ s$/)
    expect(lines).toHaveLength(3)
    const { json } = await cli.run("jobs", "--state", "queued", "-n", "1", "--json")
    expect(json.jobs).toMatchObject([{ id: "second", state: "queued", env: "tools" }])
  })

  test("--dead lists durable jobs that failed for good", async () => {
    const here = cli.connect()
    const boom = await fn(
      async () => {
        throw new Error("no")
      },
      { name: "boom" },
    ).to(here)
    const job = await boom.with({ job: { id: "doomed", durable: true, attempts: 1 } }).start()
    await job.result().catch(() => {})
    const { stdout } = await cli.run("jobs", "--dead")
    expect(stdout).toMatch(/^doomed +default\/boom +dead +1\/1 +\d+ s +the function threw$/m)
    expect((await cli.run("jobs", "--dead", "--json")).json.jobs).toHaveLength(1)
  })

  test("refuses two filters", async () => {
    const { exitCode, stderr } = await cli.run("jobs", "--dead", "--state", "failed")
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("one of them")])
  })

  test("refuses a state that is none", async () => {
    const { exitCode, stderr } = await cli.run("jobs", "--state", "asleep")
    expect(exitCode).toBe(2)
    expect(stderr).toContain("expected --state to be one of queued, running")
  })
})

describe("bunhouse job", () => {
  test("shows how a job is, and what it returned", async () => {
    const here = cli.connect()
    const pair = await fn(async (a: number) => ({ a, big: 1n }), { name: "pair" }).to(here)
    const plain = await fn(async (a: number) => ({ a }), { name: "plain" }).to(here)
    const [one, two] = [await pair.start(1), await plain.start(2)]
    await Promise.all([one.result(), two.result()])
    const shown = await cli.run("job", two.id)
    expect([shown.exitCode, shown.stderr]).toEqual([0, ""])
    expect(shown.stdout).toContain(`job         ${two.id}\nfunction    default/plain\n`)
    expect(shown.stdout).toMatch(/^state {7}succeeded$/m)
    expect(shown.stdout).toEndWith('\n\n{"a":2}\n')
    const { json } = await cli.run("job", two.id, "--json")
    expect(json).toMatchObject({ job: { id: two.id, state: "succeeded" }, result: { a: 2 } })
    // What JSON cannot say is shown as text.
    expect((await cli.run("job", one.id)).stdout).toContain("1n")
    expect((await cli.run("job", one.id, "--json")).json.result).toContain("1n")
  })

  test("shows what it threw, with the exit code of a call", async () => {
    const here = cli.connect()
    const fail = await fn(
      async (text: string) => {
        throw new TypeError(text, { cause: new RangeError("too far") })
      },
      { name: "fail" },
    ).to(here)
    const job = await fail.start("no \u001b[2J luck")
    await job.result().catch(() => {})
    const { exitCode, stdout, stderr } = await cli.run("job", job.id)
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^state {7}failed$/m)
    expect(stderr).toStartWith("default/fail threw TypeError: no \\x1b[2J luck\n    at ")
    expect(stderr).toContain("caused by: RangeError: too far")
    const { json } = await cli.run("job", job.id, "--json")
    expect(json.error).toMatchObject({ name: "TypeError", cause: { name: "RangeError" } })
  })

  test("--cancel ends it, and is done when it has ended", async () => {
    const here = cli.connect()
    const nap = await fn(async (ms: number) => Bun.sleep(ms), { name: "nap" }).to(here)
    const job = await nap.start(60_000)
    const running = await cli.run("job", job.id)
    expect([running.exitCode, running.stdout]).toEqual([
      0,
      expect.stringMatching(/^state +running$/m),
    ])
    const { exitCode, stdout } = await cli.run("job", job.id, "--cancel")
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^state +cancelled$/m)])
    expect((await cli.run("job", job.id)).exitCode).toBe(8)
    expect((await cli.run("job", job.id, "--cancel", "--json")).json).toMatchObject({
      job: { state: "cancelled" },
      error: { code: "CANCELLED", ran: "maybe" },
    })
  })

  test("--logs shows what it printed, to people and to programs", async () => {
    const here = cli.connect()
    const talk = await fn(
      async (text: string) => {
        console.log(text)
        console.error("done")
      },
      { name: "talk" },
    ).to(here)
    const job = await talk.start("red \u001b[31m alert")
    await job.result()
    const { exitCode, stdout, stderr } = await cli.run("job", job.id, "--logs")
    expect([exitCode, stderr]).toEqual([0, ""])
    const line = /^[-\d]{10} [:.\d]{12} {2}talk [0-9a-f]{8}-\w+ {2}(.*)$/gm
    const texts = [...stdout.matchAll(line)].map(([, text]) => text)
    expect(texts).toEqual(["red \\x1b[31m alert", "done"])
    expect(stdout.trimEnd().split("\n")).toHaveLength(2)
    const { callId } = await job.status()
    const json = await cli.run("job", job.id, "--logs", "--json")
    expect(
      json.stdout
        .trimEnd()
        .split("\n")
        .map((each) => JSON.parse(each)),
    ).toEqual(
      ["red \u001b[31m alert", "done"].map((text) => {
        const stream = text === "done" ? "stderr" : "stdout"
        const time = expect.stringMatching(/^\d{4}-.*Z$/)
        return { callId, env: "default", function: "talk", stream, time, text }
      }),
    )
  })

  test("--logs -f goes on until the job has ended", async () => {
    const here = cli.connect()
    const wait = await fn(
      async (path: string) => {
        console.log("begun")
        while (!(await Bun.file(path).exists())) await Bun.sleep(10)
        console.log("over")
      },
      { name: "wait" },
    ).to(here)
    const path = cli.folder.join("go")
    const job = await wait.start(path)
    const following = cli.spawn("job", job.id, "--logs", "-f")
    await until(() => following.stdout().includes("begun"), "the first line")
    await Bun.write(path, "")
    const { exitCode, stdout } = await following.ended
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/begun\n.*over\n$/)])
  })

  test("--logs says so where there is nothing, and takes no other order", async () => {
    const here = cli.connect()
    const mute = await fn(async () => 1, { name: "mute" }).to(here)
    const [ended, waiting] = [
      await mute.start(),
      await mute.with({ job: { delayMs: 60_000 } }).start(),
    ]
    await ended.result()
    for (const [id, word] of [
      [ended.id, "the job printed nothing"],
      [waiting.id, "the job has printed nothing yet"],
    ] as const) {
      const { exitCode, stdout, stderr } = await cli.run("job", id, "--logs")
      expect([exitCode, stdout, stderr]).toEqual([0, "", `bunhouse: ${word}\n`])
    }
    expect((await cli.run("job", "nobody", "--logs")).exitCode).toBe(4)
    expect((await cli.run("job", ended.id, "-f")).exitCode).toBe(2)
    expect((await cli.run("job", ended.id, "--logs", "--cancel")).exitCode).toBe(2)
  })

  test("of an id that nobody knows exits with 4", async () => {
    const { exitCode, stderr } = await cli.run("job", "nobody")
    expect(exitCode).toBe(4)
    expect(stderr).toContain('there is no job "nobody"')
    expect((await cli.run("job", "a/b")).exitCode).toBe(2)
  })
})
