import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync, statSync } from "node:fs"
import { type Env, fn, type LogLine } from "../../client/index.ts"
import { setQuiet } from "../../client/notices.ts"
import { LOG_BYTES_MAX } from "../../protocol/limits.ts"
import { writeProgram } from "../support/program.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

let stack: Stack
beforeAll(async () => {
  setQuiet(true) // No test prints what its functions print.
  stack = await startStack()
})
afterAll(async () => {
  setQuiet(false)
  await stack[Symbol.asyncDispose]()
})

/** Lines as they come, and the option that collects them. */
function listen(): { readonly lines: LogLine[]; readonly onLog: (line: LogLine) => void } {
  const lines: LogLine[] = []
  return { lines, onLog: (line) => void lines.push(line) }
}

const texts = (lines: readonly LogLine[]) => lines.map(({ stream, text }) => `${stream} ${text}`)

/** The env's log as it stands: JSON lines, others left out. */
function logOf(env: string) {
  return readFileSync(`${stack.home}/logs/p-${env}.log`, "utf8")
    .split("\n")
    .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []))
}

async function sendTalk(env: Env) {
  return fn(async function talk(name: string) {
    console.log("hello", name, { a: 1 })
    await Bun.sleep(1)
    console.error("%s is wrong", name)
    process.stdout.write("in ")
    process.stderr.write(Buffer.from("bytes\n"))
    process.stdout.write("pieces\nno end")
    return name
  }).to(env)
}

const TALK = (name: string) => [
  `stdout hello ${name} { a: 1 }`,
  `stderr ${name} is wrong`,
  "stderr bytes",
  "stdout in pieces",
  "stdout no end",
]

describe("what an async function prints", () => {
  test("is told to the call's onLog, in order and before the result", async () => {
    const talk = await sendTalk(stack.here.env("talk"))
    const { lines, onLog } = listen()
    const seen = talk
      .with({ onLog })("Ada")
      .then(() => lines.length)
    expect(await seen).toBe(5)
    expect(texts(lines)).toEqual(TALK("Ada"))
    const [line] = lines
    expect(line).toMatchObject({ env: "talk", function: "talk", stream: "stdout" })
    expect(line?.callId).toMatch(/^[0-9a-f]{8}-\w+$/)
    expect(Math.abs(Date.now() - (line?.time.getTime() ?? 0))).toBeLessThan(60_000)
    const keptOf = () => logOf("talk").filter(({ call }) => call === line?.callId)
    const kept = await until(() => (keptOf().length === 5 ? keptOf() : undefined), "the log")
    expect(kept.map(({ stream, text }) => `${stream} ${text}`)).toEqual(TALK("Ada"))
  })

  test("is told of the right call among a thousand that run together", async () => {
    // A thousand calls that print block the loop for a while, which the watchdog would say.
    const talk = await sendTalk(stack.here.env("crowd", { loopBlockMs: 0 }))
    const calls = Array.from({ length: 1_000 }, async (_, i) => {
      const { lines, onLog } = listen()
      await talk.with({ onLog })(`n${i}`)
      return { lines, name: `n${i}` }
    })
    const ids = new Set<string>()
    for (const { lines, name } of await Promise.all(calls)) {
      expect(texts(lines)).toEqual(TALK(name))
      expect(new Set(lines.map(({ callId }) => callId)).size).toBe(1)
      ids.add(lines[0]?.callId ?? "")
    }
    expect(ids.size).toBe(1_000)
  })

  test("is told while the call runs", async () => {
    const slow = await fn(async function slow(ms: number) {
      console.log("begun")
      await Bun.sleep(ms)
    }).to(stack.here.env("talk"))
    const { lines, onLog } = listen()
    const controller = new AbortController()
    const call = slow
      .with({ onLog, signal: controller.signal })(60_000)
      .catch(() => {})
    await until(() => lines.length === 1, "the first line")
    controller.abort()
    await call
  })

  test("goes into the log alone when nobody asked", async () => {
    const talk = await sendTalk(stack.here.env("silent"))
    await talk("Bob")
    await until(() => logOf("silent").some(({ text }) => text === "Bob is wrong"), "the log")
  })

  test("is told by the onLog of connect, for calls without their own", async () => {
    const { lines, onLog } = listen()
    const here = stack.connect({ onLog })
    const talk = await sendTalk(here.env("talk"))
    await talk("Cyd")
    expect(texts(lines)).toEqual(TALK("Cyd"))
  })

  test("may be a flood: it is dropped with a count, and delays no result", async () => {
    const flood = await fn(async function flood(count: number) {
      for (let i = 0; i < count; i++) console.log(`line ${i} ${"x".repeat(100)}`)
      return count
    }).to(stack.here.env("flood", { loopBlockMs: 0 }))
    const { lines, onLog } = listen()
    expect(await flood.with({ onLog })(50_000)).toBe(50_000)
    const dropped = lines.flatMap(({ text }) => /^… ([\d,]+) lines dropped$/.exec(text)?.[1] ?? [])
    const count = dropped.reduce((sum, text) => sum + Number(text.replaceAll(",", "")), 0)
    expect(count).toBeGreaterThan(0)
    expect(lines.length - dropped.length + count).toBe(50_000)
  })

  test("lets the log begin anew when it is large", async () => {
    const flood = await stack.here.get<(count: number) => Promise<number>>("flood/flood")
    for (let i = 0; i < 3; i++) await flood(50_000)
    const path = `${stack.home}/logs/p-flood.log`
    expect(statSync(`${path}.1`).size).toBeGreaterThanOrEqual(LOG_BYTES_MAX)
    expect(statSync(path).size).toBeLessThan(LOG_BYTES_MAX + 1_000_000)
  })

  test("is there when the process then dies", async () => {
    const env = stack.here.env("last-words")
    const die = await fn(async function die() {
      console.log("first word")
      console.log("last word")
      process.kill(process.pid, "SIGKILL")
    }).to(env)
    await die().catch(() => {})
    expect(logOf("last-words").map(({ text }) => text)).toEqual(["first word", "last word"])
    const leave = await fn(async function leave() {
      for (let i = 0; i < 100; i++) console.log(`word ${i}`)
      process.exit(1)
    }).to(env)
    await leave().catch(() => {})
    expect(logOf("last-words").at(-1).text).toBe("word 99")
  })
})

async function sendShout(env: Env) {
  return fn(function shout(name: string) {
    console.log("HELLO", name)
    process.stderr.write("no end")
    return name
  }).to(env)
}

describe("what a sync function prints", () => {
  test("is told like that of an async one, also among many", async () => {
    const shout = await sendShout(stack.here.env("shout"))
    const calls = Array.from({ length: 100 }, async (_, i) => {
      const { lines, onLog } = listen()
      await shout.with({ onLog }).async(`n${i}`)
      expect(texts(lines)).toEqual([`stdout HELLO n${i}`, "stderr no end"])
      expect(lines[0]?.function).toBe("shout")
    })
    await Promise.all(calls)
    await until(() => logOf("shout").length === 200, "all lines in the log")
  })

  test("is told while it blocks its thread", async () => {
    const spin = await fn(function spin(ms: number) {
      const end = performance.now() + ms
      for (let i = 0; performance.now() < end; i++) {
        console.log(`turn ${i}`)
        Bun.sleepSync(20)
      }
    }).to(stack.here.env("shout"))
    const { lines, onLog } = listen()
    const controller = new AbortController()
    const call = spin
      .with({ onLog, signal: controller.signal })
      .async(60_000)
      .catch(() => {})
    await until(() => lines.length > 2, "some lines")
    controller.abort()
    await call
  })

  test.each(["spawn", "resident"] as const)("is told by a blocking call (%s)", async (blocking) => {
    const { lines, onLog } = listen()
    const shout = await sendShout(stack.connect({ blocking, onLog }).env("shout"))
    expect(shout("Dee")).toBe("Dee")
    expect(texts(lines)).toEqual(["stdout HELLO Dee", "stderr no end"])
    expect(lines[0]?.callId).toMatch(/^[0-9a-f]{8}-\w+$/)
  })

  test("also when the function throws", async () => {
    const fail = await fn(function fail() {
      console.log("about to")
      throw new Error("failed")
    }).to(stack.here.env("shout"))
    const { lines, onLog } = listen()
    expect(() => fail.with({ onLog })()).toThrow("failed")
    expect(await fail.with({ onLog }).async().catch(String)).toBe("Error: failed")
    expect(texts(lines)).toEqual(["stdout about to", "stdout about to"])
  })
})

describe("a program", () => {
  const CODE = `const talk = await here.get<(name: string) => Promise<string>>("talk/talk")
    console.log("result", await talk("Eve"))`

  test.each([[""], ["0"]])(
    "prints what its functions print, to the stream of the same name (BUNHOUSE_QUIET=%s)",
    async (quiet) => {
      await sendTalk(stack.here.env("talk"))
      using program = writeProgram(stack, CODE, "here")
      const { stdout, stderr } = await program.run({ BUNHOUSE_QUIET: quiet })
      const label = "[talk/talk] "
      expect(stdout).toBe(
        `${label}hello Eve { a: 1 }\n${label}in pieces\n${label}no end\nresult Eve\n`,
      )
      expect(stderr).toBe(`${label}Eve is wrong\n${label}bytes\n`)
    },
  )

  test("prints nothing of it with BUNHOUSE_QUIET", async () => {
    using program = writeProgram(stack, CODE, "here")
    expect(await program.run()).toMatchObject({ stdout: "result Eve\n", stderr: "" })
  })

  test("whose onLog throws hears of that as of any uncaught error", async () => {
    using program = writeProgram(
      stack,
      `process.on("uncaughtException", (error) => console.log("uncaught", error.message))
       const talk = await here.get<(name: string) => Promise<string>>("talk/talk")
       const onLog = () => { throw new Error("mine") }
       console.log("result", await talk.with({ onLog })("Flo"))`,
      "here",
    )
    const { stdout, exitCode } = await program.run()
    expect([stdout, exitCode]).toEqual([expect.stringContaining("result Flo\n"), 0])
    expect(stdout).toContain("uncaught mine\n")
  })
})
