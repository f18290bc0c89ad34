import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, startMarks } from "../support/mark.ts"
import { descendants, sendSignal } from "../support/processes.ts"
import { writeProgram } from "../support/program.ts"
import { type Stack, startStack } from "../support/stack.ts"

/** Who makes blocking calls: programs, Workers, functions inside of envs; and what nobody else gets to see of them. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
  await fn((x: unknown) => x, { name: "same" }).to(stack.here)
  await fn((ms: number) => Bun.sleepSync(ms), { name: "nap" }).to(stack.here)
  await fn(async () => Date.now(), { name: "time" }).to(stack.here)
})
afterAll(() => stack[Symbol.asyncDispose]())

const WAYS = [["spawn"], ["resident"]] as const
type Any = (...args: unknown[]) => unknown

const GET = `const own = connect({ blocking: process.env["WAY"] as "spawn" | "resident" })
const same = await own.get<(x: unknown) => unknown>("same")
const nap = await own.get<(ms: number) => void>("nap")`

describe.each(WAYS)("a blocking call (%s)", (way) => {
  test("works from a Worker of the caller", async () => {
    using program = writeProgram(
      stack,
      `if (Bun.isMainThread) {
         const worker = new Worker(import.meta.path)
         worker.onmessage = ({ data }) => { console.log(data); worker.terminate() }
       } else {
         ${GET}
         postMessage(String(same(7)))
       }`,
      "connect",
    )
    const { exitCode, stdout, stderr } = await program.run({ WAY: way })
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: "7\n", stderr: "" })
  })

  test("blocks its thread, and nothing else happens on it meanwhile", async () => {
    using program = writeProgram(
      stack,
      `${GET}
       let ticks = 0
       setInterval(() => ticks++, 5)
       await Bun.sleep(20)
       const before = ticks
       nap(200)
       console.log(ticks === before)
       process.exit(0)`,
      "connect",
    )
    expect((await program.run({ WAY: way })).stdout).toBe("true\n")
  })

  test("lets run what its program has called before", async () => {
    using program = writeProgram(
      stack,
      `${GET}
       const time = await own.get<() => Promise<number>>("time")
       await time()
       const early = time()
       nap(300)
       const blockedUntil = Date.now()
       console.log((await early) < blockedUntil - 100)
       process.exit(0)`,
      "connect",
    )
    expect((await program.run({ WAY: way })).stdout).toBe("true\n")
  })

  test("works in twenty processes at once", async () => {
    using program = writeProgram(stack, `${GET}\nnap(20)\nconsole.log(same(1))`, "connect")
    const ends = await Promise.all(
      Array.from({ length: 20 }, () => program.run({ WAY: way }, 20_000)),
    )
    for (const { exitCode, stdout } of ends) expect([exitCode, stdout]).toEqual([0, "1\n"])
  }, 20_000)

  test("shows no token in any argument or environment of any process", async () => {
    using program = writeProgram(stack, `${GET}\nnap(500)\nconsole.log("done")`, "connect")
    const child = program.start({ WAY: way })
    const seen = new Set<string>()
    while (child.exitCode === null) {
      for (const pid of [child.pid, ...descendants(child.pid)]) {
        seen.add(read(pid, "cmdline"))
        // The program itself was given the token in its environment, by this test.
        if (pid !== child.pid) seen.add(read(pid, "environ"))
      }
      await Bun.sleep(20)
    }
    expect(await child.stdout.text()).toBe("done\n")
    expect([...seen].join("\n")).not.toContain(stack.token)
    if (way === "spawn") expect([...seen].some((text) => text.includes("program.js"))).toBe(true)
  })

  test("is not touched by what stands in the caller's folder", async () => {
    using marks = startMarks()
    const mark = marks.next()
    using program = writeProgram(stack, `${GET}\nconsole.log(same("untouched"))`, "connect")
    const { folder } = program
    writeFileSync(folder.join("bunfig.toml"), `preload = ["./preload.ts"]\n[run]\nbun = true\n`)
    const preload = `require("node:fs").appendFileSync(${JSON.stringify(mark)}, process.argv.join(" ") + "\\n")`
    writeFileSync(folder.join("preload.ts"), preload)
    writeFileSync(folder.join(".env"), "BUNHOUSE_URL=http://127.0.0.1:1\nBUN_OPTIONS=--bogus\n")
    writeFileSync(folder.join("package.json"), "{ not json")
    writeFileSync(folder.join("tsconfig.json"), "{ not json")
    const { exitCode, stdout } = await program.run({ WAY: way })
    expect([exitCode, stdout]).toEqual([0, "untouched\n"])
    // It did run for the program itself, once; for nothing that a blocking call starts.
    expect(isMarked(mark)).toBe(true)
    expect(readFileSync(mark, "utf8").trim().split("\n")).toHaveLength(1)
  })

  test("of a function that is busy does not keep the program's processor busy", async () => {
    using program = writeProgram(
      stack,
      `${GET}
       const before = process.cpuUsage()
       nap(600)
       const { user, system } = process.cpuUsage(before)
       console.log(user + system < 200_000)`,
      "connect",
    )
    expect((await program.run({ WAY: way })).stdout).toBe("true\n")
  })
})

/** A blocking call from inside of a function. */
async function use(way: string, url: string, token: string) {
  const { connect } = await import("bunhouse")
  const blocking = way === "spawn" ? "spawn" : "resident"
  const same = await connect({ url, token, blocking }).get<(x: number) => number>("same")
  const start = performance.now()
  try {
    return { value: same(9), ms: performance.now() - start }
  } catch (error) {
    const { code, message } = Object(error)
    return { code, message, ms: performance.now() - start }
  }
}

describe("a blocking call inside of an env", () => {
  test.each(WAYS)("is refused at once on the env's own loop (%s)", async (way) => {
    const remote = await fn(use, { name: "onLoop" }).to(stack.here.env("nested"))
    const end = await remote(way, stack.url, stack.token)
    expect(end).toMatchObject({ code: "DEADLOCK" })
    expect(end.message).toContain(".async(")
    expect(end.ms).toBeLessThan(1_000)
  })

  test.each(WAYS)("works on a thread (%s)", async (way) => {
    const remote = await fn(use, { name: "onThread", run: "thread" }).to(stack.here.env("nested"))
    expect(await remote(way, stack.url, stack.token)).toMatchObject({ value: 9 })
  })
})

describe("a blocking call to a daemon that is frozen", () => {
  test.each(WAYS)("ends by its deadline (%s)", async (blocking) => {
    await using own = await startStack()
    await fn((x: unknown) => x, { name: "same" }).to(own.here)
    const same = await own.connect({ blocking }).get<Any>("same")
    expect(same(1)).toBe(1)
    sendSignal(own.pid, "SIGSTOP")
    try {
      const start = performance.now()
      const error = await caught(() => same.with({ timeoutMs: 200 })(1))
      expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe" })
      expect(performance.now() - start).toBeLessThan(3_000)
    } finally {
      sendSignal(own.pid, "SIGCONT")
    }
    expect(same(2)).toBe(2)
  })
})

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1")
  } catch {
    return "" // It ended meanwhile.
  }
}
