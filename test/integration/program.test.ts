import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { startHttpProxy } from "../support/http-proxy.ts"
import { isMarked, startMarks } from "../support/mark.ts"
import { writeProgram } from "../support/program.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Whole programs of users: they end by themselves when their work is done, and not before. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
  await fn(async (x: number) => x + 1, { name: "inc" }).to(stack.here)
  await fn((x: number) => x + 2, { name: "incSync" }).to(stack.here)
  await fn(async (ms: number) => Bun.sleep(ms), { name: "sleep" }).to(stack.here)
})
afterAll(() => stack[Symbol.asyncDispose]())

/** Longer than any program here has to do; shorter than any timer that could keep it alive. */
const AT_ONCE_MS = 4_000

const GET = `const inc = await here.get<(x: number) => Promise<number>>("inc")
const incSync = await here.get<(x: number) => number>("incSync")
const sleep = await here.get<(ms: number) => Promise<void>>("sleep")`

describe("a program", () => {
  test.each([
    ["that awaited its calls", `${GET}\nconsole.log(await inc(1), await incSync.async(1))`, "2 3"],
    ["that made a blocking call", `${GET}\nconsole.log(incSync(1), inc.sync(1))`, "3 2"],
    [
      "that made a resident blocking call",
      `const own = connect({ blocking: "resident" })
       const incSync = await own.get<(x: number) => number>("incSync")
       console.log(incSync(1), await incSync.async(2))`,
      "3 4",
    ],
    ["that asked for the status only", `console.log((await here.status()).state)`, "running"],
    ["that did nothing", `console.log(typeof here, typeof connect)`, "object function"],
    [
      "whose call was cancelled",
      `${GET}
       const controller = new AbortController()
       const call = sleep.with({ signal: controller.signal })(60_000)
       setTimeout(() => controller.abort(), 50)
       console.log(await call.catch((error) => error.code))`,
      "CANCELLED",
    ],
    [
      "whose call had no time",
      `${GET}\nconsole.log(await sleep.with({ timeoutMs: 20 })(60_000).catch((error) => error.code))`,
      "DEADLINE_EXCEEDED",
    ],
    [
      "that closed its connection",
      `${GET}\nawait inc(1)\nhere.close()\nhere.close()\nconsole.log("closed")`,
      "closed",
    ],
  ])("%s ends by itself", async (_what, code, output) => {
    using program = writeProgram(stack, code, "connect, here")
    const { exitCode, stdout, stderr, tookMs } = await program.run()
    expect({ exitCode, stdout: stdout.trim(), stderr }).toEqual({
      exitCode: 0,
      stdout: output,
      stderr: "",
    })
    expect(tookMs).toBeLessThan(AT_ONCE_MS)
  })

  test("that left a call pending stays until the call has ended", async () => {
    using program = writeProgram(
      stack,
      `${GET}
       await inc(1)
       void sleep(700).then(() => console.log("settled"))
       process.on("exit", () => console.log("exit"))`,
      "here",
    )
    const { exitCode, stdout, tookMs } = await program.run()
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "settled\nexit\n" })
    expect(tookMs).toBeGreaterThan(700)
  })

  test("whose first call is pending stays as well", async () => {
    using program = writeProgram(
      stack,
      `void here.get("sleep").then((sleep) => sleep(300)).then(() => console.log("settled"))`,
      "here",
    )
    expect((await program.run()).stdout).toBe("settled\n")
  })

  test("that does not look at a call which fails ends as for any rejected promise", async () => {
    using program = writeProgram(
      stack,
      `${GET}\nvoid sleep.with({ timeoutMs: 10 })(60_000)`,
      "here",
    )
    const { exitCode, stderr } = await program.run()
    expect(exitCode).toBe(1)
    expect(stderr).toContain("DEADLINE_EXCEEDED")
  })

  test("that catches what fails has no rejection left over", async () => {
    using program = writeProgram(
      stack,
      `${GET}
       process.on("unhandledRejection", (error) => console.log("unhandled", error))
       const fails = [sleep.with({ timeoutMs: 5 })(9_999), here.get("nothing"), inc(() => 1)]
       console.log((await Promise.allSettled(fails)).map((end) => end.status).join())
       try { here.env("a/b") } catch (error) { console.log(error.code) }
       const nobody = connect({ url: "http://127.0.0.1:1" })
       console.log(await nobody.status().catch((error) => error.code))
       console.log(await nobody.get("f").catch((error) => error.code))`,
      "connect, here",
    )
    const { exitCode, stdout, stderr } = await program.run()
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" })
    expect(stdout.split("\n")).toEqual([
      "rejected,rejected,rejected",
      "INVALID_ARGUMENT",
      "NO_DAEMON",
      "NO_DAEMON",
      "",
    ])
  })

  test("behind a proxy asks the daemon directly, and the proxy sees no token", async () => {
    using proxy = startHttpProxy()
    using program = writeProgram(stack, `${GET}\nconsole.log(await inc(1), incSync(1))`, "here")
    expect((await program.run(proxy.variables)).stdout).toBe("2 3\n")
    expect(proxy.seen).toEqual([])
  })

  test("that is killed with a hundred calls in flight takes them along within two seconds", async () => {
    using marks = startMarks()
    const env = stack.here.env("killed")
    await fn(async function watch(mark: string) {
      const { context } = await import("bunhouse")
      const { signal } = context()
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve))
      await Bun.write(`${mark}.started`, "")
      if (!signal.aborted) await aborted
      await Bun.write(`${mark}.aborted`, "")
    }).to(env)
    const paths = Array.from({ length: 100 }, () => marks.next())
    using program = writeProgram(
      stack,
      `const watch = await here.get("killed/watch")
       await Promise.all(${JSON.stringify(paths)}.map((path) => watch(path)))`,
      "here",
    )
    const child = program.start()
    await until(() => paths.every((path) => isMarked(`${path}.started`)), "all calls to run")
    child.kill("SIGKILL")
    const start = performance.now()
    await until(async () => (await env.status())?.running === 0, "all places to be free")
    expect(performance.now() - start).toBeLessThan(2_000)
    expect(paths.every((path) => isMarked(`${path}.aborted`))).toBe(true)
  })
})
