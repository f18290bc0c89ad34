import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { chmodSync, rmSync, writeFileSync } from "node:fs"
import { cls, type ErrorCode, fn, type Ran, type Remote } from "../../client/index.ts"
import { Daemon } from "../../client/daemon.ts"
import { ERROR_CODES } from "../../protocol/errors.ts"
import { caught } from "../support/caught.ts"
import { ALL_CODES } from "../support/codes.ts"
import { temporaryFolder } from "../support/folder.ts"
import { ask, pathOf } from "../support/http.ts"
import { type Stack, startStack } from "../support/stack.ts"
import * as by from "../support/three-ways.ts"
import { until } from "../support/until.ts"

// Each row runs a few programs.
setDefaultTimeout(20_000)

/**
 * Every code is provoked from outside, against a real daemon, in each of the ways in which it can be seen: by the
 * library, over HTTP and on the command line. It has the same `ran` in all of them, and the HTTP status and the exit
 * code of the table.
 */
interface Row {
  /** Default: what the table says. */
  readonly ran?: Ran | Readonly<Record<by.Way, Ran>>
  /** The ways in which the code cannot be seen, and why not. */
  readonly never?: Partial<Readonly<Record<by.Way, string>>>
  readonly provoke: () => Promise<by.Sightings>
}

const BEFORE_SENDING = "the library decides it before anything is sent"
const SAME_VERSION = "it is of the version of the daemon"

const ROWS: Readonly<Record<ErrorCode, Row>> = {
  INVALID_ARGUMENT: {
    provoke: async () => ({
      library: await by.library(() => stack.here.env("")),
      http: await by.http(stack, "POST", pathOf("lab", "echo", "/call"), { body: "[" }),
      cli: await by.cli(stack, ["call", "lab/"]),
    }),
  },
  VALUE_NOT_SENDABLE: {
    ran: { library: "no", http: "yes", cli: "yes" },
    provoke: async () => ({
      ...(await by.calls(stack, { to: "lab/echo", args: [Symbol("s")] }, ["library"])),
      ...(await by.calls(stack, { to: "lab/giveBigInt" }, ["http", "cli"])),
    }),
  },
  FUNCTION_NOT_SENDABLE: {
    never: { http: BEFORE_SENDING },
    provoke: async () => ({
      library: await by.library(fn(() => stack.url, { name: "capture" }).to(stack.here)),
      cli: await by.cli(stack, ["deploy", "package.json:name"]),
    }),
  },
  PAYLOAD_TOO_LARGE: { ran: "yes", provoke: () => by.calls(stack, { to: "lab/giveMuch" }) },
  PROTOCOL_ERROR: {
    never: { library: "it speaks the protocol", cli: "it sends no frames" },
    provoke: async () => ({ http: await by.http(stack, "POST", "/v1/frames", { body: "frames" }) }),
  },
  UNAUTHENTICATED: {
    provoke: async () => ({
      library: await by.library(stack.connect({ token: "wrong" }).status()),
      http: await by.http(stack, "GET", "/v1/status", { headers: { authorization: "Bearer no" } }),
      cli: await by.cli(stack, ["call", "lab/echo"], { BUNHOUSE_TOKEN: "wrong" }),
    }),
  },
  PERMISSION_DENIED: {
    provoke: async () => {
      using folder = temporaryFolder()
      const home = { BUNHOUSE_HOME: folder.path }
      writeFileSync(folder.join("token"), stack.token)
      chmodSync(folder.join("token"), 0o644)
      using careless = new Daemon({ url: stack.url }, home)
      return {
        library: await by.library(careless.status()),
        http: await by.http(stack, "GET", "/v1/status", { headers: { origin: stack.url } }),
        cli: await by.cli(stack, ["call", "lab/echo"], { ...home, BUNHOUSE_TOKEN: "" }),
      }
    },
  },
  NOT_FOUND: { provoke: () => by.calls(stack, { to: "lab/nothing" }) },
  DEPLOY_FAILED: {
    provoke: async () => {
      using folder = temporaryFolder()
      const mark = folder.join("mark")
      await put("changing", `if (await Bun.file("${mark}").exists()) throw new Error("no more")`)
      writeFileSync(mark, "")
      await stack.here.env("changing").restart()
      return await by.calls(stack, { to: "changing/f" })
    },
  },
  ENV_FAILED: {
    provoke: async () => {
      const die = await sendDie(stack, "failing")
      while ((await caught(die())).code === "WORKER_LOST");
      return by.calls(stack, { to: "failing/die" })
    },
  },
  OVERLOADED: {
    provoke: async () => {
      const wait = await sendWait(stack.here.env("narrow", { concurrency: 1, queue: 0 }))
      return whileRunning(stack, wait, () => by.calls(stack, { to: "narrow/wait", args: [1] }))
    },
  },
  UNAVAILABLE: {
    provoke: async () => {
      await using own = await startStack()
      return await whileRunning(own, await sendWait(own.here.env()), async () => {
        await ask(own, "POST", "/v1/shutdown")
        return by.calls(own, { to: "wait", args: [1] })
      })
    },
  },
  NO_DAEMON: {
    never: { http: "nobody answers" },
    provoke: async () => {
      const url = await unusedUrl()
      return {
        library: await by.library(stack.connect({ url }).status()),
        cli: await by.cli(stack, ["call", "lab/echo"], { BUNHOUSE_URL: url }),
      }
    },
  },
  VERSION_MISMATCH: {
    never: { library: SAME_VERSION, cli: SAME_VERSION },
    provoke: async () => {
      const headers = { "bunhouse-protocol": "999" }
      return { http: await by.http(stack, "GET", "/v1/status", { headers }) }
    },
  },
  IDEMPOTENCY_CONFLICT: {
    never: { cli: "it has no keys" },
    provoke: async () => {
      const echo = await stack.here.get<(x: number) => Promise<number>>("lab/echo")
      const keyed = echo.with({ idempotencyKey: "one" })
      await keyed(1)
      const headers = { "idempotency-key": "two" }
      const path = pathOf("lab", "echo", "/call")
      await ask(stack, "POST", path, { body: "[1]", headers })
      return {
        library: await by.library(keyed(2)),
        http: await by.http(stack, "POST", path, { body: "[2]", headers }),
      }
    },
  },
  DEADLOCK: {
    never: { http: "it is thrown inside of the function: 200 with its error" },
    provoke: () => by.calls(stack, { to: "lab/block" }, ["library", "cli"]),
  },
  DEADLINE_EXCEEDED: {
    provoke: () => by.calls(stack, { to: "lab/wait", args: [60_000], timeoutMs: 300 }),
  },
  CANCELLED: {
    never: { http: "whoever could be told has gone away", cli: "Ctrl-C ends it with 130" },
    provoke: async () => {
      const wait = await stack.here.get<(ms: number) => Promise<void>>("lab/wait")
      const controller = new AbortController()
      const call = by.library(wait.with({ signal: controller.signal })(60_000))
      await until(() => by.isOneRunning(stack), "the call to run")
      controller.abort()
      return { library: await call }
    },
  },
  STATE_LOST: {
    never: { cli: "it calls functions, not instances" },
    provoke: async () => {
      class Gone {
        async here(): Promise<void> {}
      }
      const gone = await (await cls(Gone).to(stack.here.env("lab"))).create()
      await gone.release()
      const path = pathOf("lab", `Gone/${gone.info.id}`, "/call")
      return {
        library: await by.library(gone.here()),
        http: await by.http(stack, "POST", path, { body: ["here", "call"] }),
      }
    },
  },
  WORKER_LOST: {
    provoke: async () => {
      await sendDie(stack, "mortal")
      return by.calls(stack, { to: "mortal/die" })
    },
  },
  BROKER_LOST: {
    provoke: async () => {
      await using own = await startStack()
      await sendWait(own.here.env())
      const meanwhile = () => by.killBroker(own)
      return await by.calls(own, { to: "wait", args: [60_000], meanwhile })
    },
  },
  DAEMON_LOST: {
    never: { http: "nobody is left to answer" },
    provoke: async () => {
      await using own = await startStack()
      await sendWait(own.here.env())
      const call = { to: "wait", args: [60_000], meanwhile: () => own.kill() }
      const seen = await by.calls(own, call, ["library"])
      await own.startAgain()
      return { ...seen, ...(await by.calls(own, call, ["cli"])) }
    },
  },
  INTERNAL: {
    ran: "no",
    provoke: async () => {
      await put("damaged")
      // A state folder that somebody else has changed is the one thing of this kind that can be had from outside.
      const code = `${stack.home}/envs/p-damaged/code`
      rmSync(code, { recursive: true })
      writeFileSync(code, "")
      await stack.here.env("damaged").restart()
      return by.calls(stack, { to: "damaged/f" })
    },
  },
}

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
  const lab = stack.here.env("lab", { payloadMiB: 7 })
  await fn(async (x: unknown) => x, { name: "echo" }).to(lab)
  await fn(async () => 1n, { name: "giveBigInt" }).to(lab)
  await fn(async () => "x".repeat(8 * 1024 * 1024), { name: "giveMuch" }).to(lab)
  await fn(async function block() {
    const { here } = await import("bunhouse")
    return (await here.get("lab/echo")).sync(1)
  }).to(lab)
  const wait = await sendWait(lab)
  await wait(0)
})
afterAll(() => stack[Symbol.asyncDispose]())

describe("the code", () => {
  test.each(ALL_CODES.map((code) => [code]))("%s is seen as the table says", async (code) => {
    const { ran = ERROR_CODES[code].ran, never = {}, provoke } = ROWS[code]
    const seen = await provoke()
    const told = by.WAYS.filter((way) => never[way] === undefined)
    const ranBy = (way: by.Way) => (typeof ran === "string" ? ran : ran[way])
    expect(seen).toEqual(
      Object.fromEntries(told.map((way) => [way, by.expected(way, code, ranBy(way))])),
    )
    expect(told).not.toEqual([])
  })
})

/** Sends a module by its text, under the name `f`. */
async function put(env: string, topLevelCode = ""): Promise<void> {
  const code = `${topLevelCode}\nexport default async (x) => x`
  const body = { kind: "async", run: "loop", code }
  expect((await ask(stack, "PUT", pathOf(env, "f"), { body })).json).toMatchObject({
    changed: true,
  })
}

async function sendDie(to: Stack, env: string): Promise<Remote<() => Promise<void>>> {
  return fn(async function die() {
    process.exit(3)
  }).to(to.here.env(env))
}

/** A function that takes its time, and ends when nobody waits for it any more. */
async function sendWait(env: ReturnType<Daemon["env"]>) {
  return fn(async function wait(ms: number) {
    const { context } = await import("bunhouse")
    const { promise, resolve } = Promise.withResolvers<void>()
    const { signal } = context()
    if (signal.aborted) return
    signal.addEventListener("abort", () => resolve())
    const timer = setTimeout(resolve, ms)
    await promise
    clearTimeout(timer)
  }).to(env)
}

async function whileRunning<T>(
  on: Stack,
  wait: Remote<(ms: number) => Promise<void>>,
  work: () => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const call = caught(wait.with({ signal: controller.signal })(60_000))
  await until(() => by.isOneRunning(on), "the place to be taken")
  try {
    return await work()
  } finally {
    controller.abort()
    await call
  }
}

/** An address at which nobody listens. */
async function unusedUrl(): Promise<string> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() })
  const { port } = server
  await server.stop(true)
  return `http://127.0.0.1:${port}`
}
