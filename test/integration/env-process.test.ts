import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { descendants, isRunning, sendSignal } from "../support/processes.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

const SECRETS = {
  BUNHOUSE_TOKEN: "canary-token-0123456789",
  AWS_SECRET_ACCESS_KEY: "canary-cloud",
  DATABASE_URL: "postgres://canary-database",
}

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ variables: SECRETS })
})
afterAll(() => stack[Symbol.asyncDispose]())

/** Everything that a process shows to others: its arguments and its environment. */
function shownBy(pid: number): string {
  const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, "latin1")
  return `${read("cmdline")}\n${read("environ")}`
}

describe("an env process", () => {
  test("has none of the daemon's secrets in its environment, nor any process in its arguments", async () => {
    const look = await fn(async function look() {
      return { pid: process.pid, variables: { ...process.env } }
    }).to(stack.here)
    const lookSync = await fn(function lookSync() {
      return { ...process.env }
    }).to(stack.here)
    const { pid, variables } = await look()
    const all = JSON.stringify([variables, await lookSync.async()])
    const family = [stack.pid, ...descendants(stack.pid)]
    expect(family).toContain(pid)
    const fromOutside = family.map((each) => readFileSync(`/proc/${each}/cmdline`, "latin1"))
    const { broker } = await stack.here.status()
    expect(broker.pid).toBeNumber()
    const others = [pid, broker.pid ?? 0].map(shownBy)
    for (const secret of [...Object.values(SECRETS), stack.token]) {
      expect(`${all}\n${fromOutside.join("\n")}\n${others.join("\n")}`).not.toContain(secret)
    }
    expect(all).not.toMatch(/canary/)
    expect(variables).toMatchObject({ BUNHOUSE_HOME: stack.home, BUNHOUSE_QUIET: "1" })
  })

  test("has a folder of its own that only its owner may enter, and its own log", async () => {
    const where = await fn(async function where() {
      console.log("a line of this function")
      console.error("and an error of it")
      const { mode } = require("node:fs").statSync(".")
      return { cwd: process.cwd(), mode: mode & 0o777 }
    }).to(stack.here.env("logs"))
    expect(await where()).toEqual({ cwd: `${stack.home}/envs/p-logs`, mode: 0o700 })
    const log = () => readFileSync(`${stack.home}/logs/p-logs.log`, "utf8")
    await until(() => log().includes("a line of") && log().includes("an error of"), "the log")
  })

  test("knows the daemon that runs it as `here`, also from a thread", async () => {
    // The token of this daemon is in no file, so that a second one is started for this.
    await using own = await startStack()
    await fn(async (a: number, b: number) => a + b, { name: "plus" }).to(own.here.env("math"))
    const nested = await fn(async function nested() {
      const { here } = await import("bunhouse")
      const plus = await here.get<(a: number, b: number) => Promise<number>>("math/plus")
      return plus(2, 3)
    }).to(own.here)
    expect(await nested()).toBe(5)
    const nestedSync = await fn(function nestedSync() {
      return import("bunhouse").then(async ({ here }) => {
        const plus = await here.get<(a: number, b: number) => Promise<number>>("math/plus")
        return plus.sync(4, 5)
      })
    }).to(own.here)
    expect(await nestedSync.async()).toBe(9)
  })
})

describe("what a function leaves behind", () => {
  test("and throws later disturbs nobody, and is in the log", async () => {
    const env = stack.here.env("late", { threads: { max: 1 } })
    const leave = await fn(async function leave(text: string) {
      void Promise.reject(new Error(`rejected ${text}`))
      setTimeout(() => {
        throw new Error(`thrown ${text}`)
      }, 5)
      return process.pid
    }).to(env)
    const leaveSync = await fn(function leaveSync(text: string) {
      void Promise.reject(new Error(`rejected ${text}`))
      setTimeout(() => {
        throw new Error(`thrown ${text}`)
      }, 5)
      return process.pid
    }).to(env)
    const nap = await fn(function nap(ms: number) {
      return Bun.sleep(ms).then(() => process.pid)
    }).to(env)
    const pid = await leave("by the loop")
    for (let round = 0; round < 5; round++) {
      expect(await leaveSync.async("by a thread")).toBe(pid)
      // On the one thread there is, while what was left behind goes off there.
      expect(await nap.async(20)).toBe(pid)
    }
    const log = () => readFileSync(`${stack.home}/logs/p-late.log`, "utf8")
    for (const text of ["rejected by the loop", "thrown by the loop"]) {
      await until(() => log().includes(text), text)
    }
    for (const text of ["rejected by a thread", "thrown by a thread"]) {
      await until(() => log().includes(text), text)
    }
    expect(await env.status()).toMatchObject({ pid, crashes: 0, running: 0 })
  })

  test("and cannot even be shown disturbs nobody", async () => {
    const env = stack.here.env("odd")
    const leave = await fn(async function leave() {
      const hostile = new Proxy(new Error("x"), {
        get() {
          throw new Error("a trap")
        },
      })
      setTimeout(() => {
        throw hostile
      }, 1)
      void Promise.reject(hostile)
      return process.pid
    }).to(env)
    const pid = await leave()
    await Bun.sleep(20)
    expect(await leave()).toBe(pid)
  })
})

describe("process.exit() in a sync function", () => {
  test("ends its own call, and neither the process nor another call", async () => {
    const env = stack.here.env("exit", { threads: { max: 3 } })
    const exit = await fn(function exit(code: number): number {
      return process.exit(code)
    }).to(env)
    const nap = await fn(function nap(ms: number) {
      Bun.sleepSync(ms)
      return process.pid
    }).to(env)
    const pid = await nap.async(0)
    const neighbour = nap.async(300)
    for (const code of [0, 1, 7]) {
      const error = await caught(exit.async(code))
      expect(error).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
      expect(error.message).toContain(`exit code ${code}`)
    }
    expect(await neighbour).toBe(pid)
    expect(await env.status()).toMatchObject({ pid, crashes: 0 })
  })
})

describe("an env process that ends", () => {
  test.each([["removed"], ["killed"]])(
    "(%s) leaves nothing that its functions had started",
    async (how) => {
      const env = stack.here.env(how)
      const spawn = await fn(async function spawn() {
        // A shell that starts another program: that one hears nothing of the env process's end.
        const shell = Bun.spawn(["sh", "-c", "sleep 1000 & echo $!; wait"], { stdout: "pipe" })
        const { value } = await shell.stdout.getReader().read()
        return { pid: process.pid, child: Number(Buffer.from(value ?? "").toString()) }
      }).to(env)
      const { pid, child } = await spawn()
      expect([isRunning(pid), isRunning(child)]).toEqual([true, true])
      if (how === "removed") await env.remove()
      else sendSignal(pid, "SIGKILL")
      await until(() => !isRunning(pid), "the process to be gone")
      await until(() => !isRunning(child), "the grandchild to be gone")
    },
  )
})

test("lives of an env leave no descriptor open in the daemon", async () => {
  await using own = await startStack()
  const env = own.here.env("lives")
  const open = () => readdirSync(`/proc/${own.pid}/fd`).length
  await env.ready()
  for (let n = 0; n < 2; n++) await env.restart()
  const before = open()
  for (let n = 0; n < 6; n++) await env.restart()
  await until(() => open() <= before, "the descriptors to be closed")
})

test("the library inside of an env knows its daemon also where the token was given by a variable", async () => {
  await using own = await startStack({
    variables: { BUNHOUSE_TOKEN: "given-by-a-variable-0123456789" },
  })
  const onLoop = await fn(namesOfEnvs, { name: "onLoop" }).to(own.here.env("asks"))
  expect(await onLoop()).toEqual(["asks"])
  const onThread = await fn(namesOfEnvs, { name: "onThread", run: "thread" }).to(
    own.here.env("asks"),
  )
  expect(await onThread()).toEqual(["asks"])
})

async function namesOfEnvs(): Promise<string[]> {
  const { here } = await import("bunhouse")
  return (await here.status()).envs.map(({ name }) => name)
}
