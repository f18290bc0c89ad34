import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Daemon } from "../client/daemon.ts"
import { type Env, fn, type Job, type LogLine, type Remote } from "../client/index.ts"
import { ALLOCATOR, daemonProgram } from "../server/entry.ts"
import { bundledEchoed } from "./bundled.ts"
import type { Call } from "./load.ts"
import { type Program, startProgram } from "./program.ts"
import * as workload from "./workload.ts"

/** What is measured: a daemon of the bench's own, with its broker and env processes. */
export interface Subject extends AsyncDisposable {
  readonly echo: Remote<typeof workload.echoed>
  /** The same function, with blocking calls by a resident thread. */
  readonly echoResident: Remote<typeof workload.echoed>
  readonly echoBytes: Remote<typeof workload.echoedBytes>
  readonly asyncSleep: Remote<typeof workload.asyncSleep>
  readonly syncSleep: Remote<typeof workload.syncSleep>
  readonly count: Remote<typeof workload.counted>
  readonly countSync: Remote<typeof workload.syncCounted>
  readonly countTexts: Remote<typeof workload.countedTexts>
  /** A job of the echo, as another connection fetches it. */
  readonly job: (id: string) => Job<number>
  /** Functions that print a line a call, and the same without; `onLog` is told the lines. */
  readonly printing: (onLog: (line: LogLine) => void) => Promise<Printing>
  /** Verified echoes: async, async over another connection, sync. */
  readonly call: Call
  readonly otherCall: Call
  readonly callSync: Call
  /** An echo by a function that calls the echo of another env. */
  readonly callNested: Call
  /** An echo by a function that calls the echo of its own env. */
  readonly callOwn: Call
  readonly pid: number
  /** Who takes part in a call to the env `default`, by id. */
  processes(): Promise<Readonly<Record<string, number>>>
  /** Functions that misbehave, each in an env of its own. */
  readonly blockLoop: () => Promise<Remote<typeof workload.blockLoop>>
  readonly fillThreads: () => Promise<Remote<typeof workload.fillThread>>
  readonly crash: () => Promise<Remote<typeof workload.crash>>
  /** Functions to be stopped, in an env with one thread. */
  readonly stoppable: () => Promise<Stoppable>
  /** Occupies `count` threads at once, for long enough that each call has one of its own. */
  readonly sleepOnThreads: (count: number) => Promise<void>
  /** Ends the daemon and starts it again in the same home; returns milliseconds. */
  restart(): Promise<number>
  /** Echoes of a function without anything around it, and of one that is bundled. */
  readonly callInline: Call
  readonly callBundled: Call
  /** Sends code that is new and needs no bundling. Its first call, which verifies it, is made by `verified`. */
  deployNew(): Promise<{ verified(): Promise<void> }>
  /** Sends the echo to `env` under a name that is new. */
  deployAnew(env: string): Promise<void>
  /** Sends the echo as it was sent before. */
  deployAgain(): Promise<void>
  growEnvs(count: number): Promise<void>
  growFunctions(count: number): Promise<void>
  growConnections(count: number): Promise<void>
  /** Another daemon that ends with this one. */
  another(): Promise<Subject>
  /** Another daemon, for one measurement. */
  fresh<T>(use: (subject: Subject) => T | Promise<T>): Promise<T>
}

/** What a subject is started with. */
export interface SubjectOptions {
  readonly natsServer: string
  /** Holds the bundled programs: users have them from the second start on. */
  readonly cache: string
}

export async function startSubject(options: SubjectOptions): Promise<Subject> {
  const folder = mkdtempSync(join(tmpdir(), "bunhouse-bench-"))
  const home = join(folder, "home")
  const environment = {
    ...ALLOCATOR,
    ...process.env,
    BUNHOUSE_HOME: home,
    BUNHOUSE_NATS_SERVER: options.natsServer,
  }
  const entry = daemonProgram(options.cache, environment)
  let program = await startDaemon(entry, environment, "0")
  const url = program.matched
  const token = (await Bun.file(join(home, "token")).text()).trim()
  const ends = new AsyncDisposableStack()
  ends.defer(() => rmSync(folder, { recursive: true, force: true }))
  ends.defer(() => program.stop())
  const client = (blocking: "spawn" | "resident" = "spawn") =>
    ends.use(new Daemon({ url, token, blocking }, environment))
  const here = client()
  const echo = await fn(workload.echoed, { name: "echo" }).to(here)
  const there = client()
  const other = await there.get<typeof workload.echoed>("default/echo")
  const syncEcho = await fn(workload.syncEchoed, { name: "syncEcho" }).to(here)
  // In an env of its own, which is not there before somebody asks.
  const sendRelay = () => fn(workload.relayed, { name: "relay" }).to(here.env("relay"))
  const own = await fn(workload.relayed, { name: "relay" }).to(here)
  let relay: ReturnType<typeof sendRelay> | undefined
  const sleep = await fn(workload.syncSleep, { name: "syncSleep" }).to(here)
  const inline = await fn(inlineEcho("x"), { name: "inlineEcho" }).to(here)
  const bundled = await fn(bundledEchoed).to(here)
  let stoppable: Promise<Stoppable> | undefined
  const inEnv = (name: string) => here.env(name)
  return {
    echo,
    echoResident: await client("resident").get<typeof workload.echoed>("default/echo"),
    echoBytes: await fn(workload.echoedBytes, { name: "echoBytes" }).to(here),
    asyncSleep: await fn(workload.asyncSleep, { name: "asyncSleep" }).to(here),
    syncSleep: sleep,
    count: await fn(workload.counted, { name: "count" }).to(here),
    countSync: await fn(workload.syncCounted, { name: "countSync" }).to(here),
    countTexts: await fn(workload.countedTexts, { name: "countTexts" }).to(here),
    job: (id) => there.job<number>(id),
    printing: (onLog) => sendPrinting(here.env("printing"), onLog),
    call: async (i) => verify(i, await echo(i)),
    otherCall: async (i) => verify(i, await other(i)),
    callSync: async (i) => verify(i, await syncEcho.async(i)),
    async callNested(i) {
      relay ??= sendRelay()
      const call = await relay
      verify(i, await call(i))
    },
    callOwn: async (i) => verify(i, await own(i)),
    callInline: async (i) => verify(i, await inline(i)),
    callBundled: async (i) => verify(i, await bundled(i)),
    async deployNew() {
      const name = newName()
      const sent = await fn(inlineEcho(`x + ${JSON.stringify(name)}.length * 0`), { name }).to(here)
      return { verified: async () => verify(1, await sent(1)) }
    },
    get pid() {
      return program.pid
    },
    async processes() {
      const { broker, envs } = await here.status()
      const env = envs.find(({ name }) => name === "default")
      if (broker.pid === undefined || env?.pid === undefined)
        throw new Error("a process is missing")
      return {
        caller: process.pid,
        daemon: program.pid,
        broker: broker.pid,
        "env process": env.pid,
      }
    },
    blockLoop: () => fn(workload.blockLoop, { name: "blockLoop" }).to(inEnv("blocked")),
    fillThreads: () => fn(workload.fillThread, { name: "fillThread" }).to(inEnv("full")),
    crash: () => fn(workload.crash, { name: "crash" }).to(inEnv("crashing")),
    stoppable: () => (stoppable ??= sendStoppable(here.env("stoppable", { threads: { max: 1 } }))),
    async sleepOnThreads(count) {
      await Promise.all(Array.from({ length: count }, () => sleep.async(1)))
    },
    async restart() {
      const start = performance.now()
      await program.stop()
      program = await startDaemon(entry, environment, new URL(url).port)
      return performance.now() - start
    },
    async deployAnew(env) {
      const sent = await fn(workload.echoed, { name: newName() }).to(here.env(env))
      verify(1, await sent(1))
    },
    async deployAgain() {
      await fn(workload.echoed, { name: "echo" }).to(here)
    },
    async growEnvs(count) {
      for (let i = 0; i < count; i++) {
        await fn(workload.echoed, { name: "echo" }).to(here.env(`grown-${i}`))
      }
    },
    async growFunctions(count) {
      const names = Array.from({ length: count }, newName)
      const sendSome = async () => {
        for (let name = names.pop(); name !== undefined; name = names.pop()) {
          await fn(workload.echoed, { name }).to(here)
        }
      }
      await Promise.all(Array.from({ length: 16 }, sendSome))
    },
    async growConnections(count) {
      for (let i = 0; i < count; i++) {
        const idle = await client().get<typeof workload.echoed>("default/echo")
        verify(i, await idle(i))
      }
    },
    another: async () => ends.use(await startSubject(options)),
    async fresh(use) {
      await using subject = await startSubject(options)
      return await use(subject)
    },
    [Symbol.asyncDispose]: () => ends.disposeAsync(),
  }
}

interface Stoppable {
  readonly spin: Remote<typeof workload.spin>
  readonly sleep: Remote<typeof workload.asyncSleep>
  readonly syncSleep: Remote<typeof workload.syncSleep>
  readonly syncEcho: Remote<typeof workload.syncEchoed>
}

async function sendStoppable(env: Env): Promise<Stoppable> {
  return {
    spin: await fn(workload.spin, { name: "spin" }).to(env),
    sleep: await fn(workload.asyncSleep, { name: "sleep" }).to(env),
    syncSleep: await fn(workload.syncSleep, { name: "syncSleep" }).to(env),
    syncEcho: await fn(workload.syncEchoed, { name: "syncEcho" }).to(env),
  }
}

export interface Printing {
  readonly echo: Call
  readonly echoAndPrint: Call
  readonly total: Call
  readonly totalAndPrint: Call
}

async function sendPrinting(env: Env, onLog: (line: LogLine) => void): Promise<Printing> {
  const sent = async (f: typeof workload.totalled, name: string, expected: number) => {
    const remote = (await fn(f, { name }).to(env)).with({ onLog })
    return async (i: number) => verify(i + expected, await remote(i))
  }
  return {
    echo: await sent(workload.echoed, "echo", 0),
    echoAndPrint: await sent(workload.echoedAndPrinted, "echoAndPrint", 0),
    total: await sent(workload.totalled, "total", workload.total(0)),
    totalAndPrint: await sent(workload.totalledAndPrinted, "totalAndPrint", workload.total(0)),
  }
}

function verify(i: number, reply: unknown): void {
  if (reply !== i) throw new Error(`a wrong reply: ${String(reply)} to ${i}`)
}

/** Text that stands in no file. */
function inlineEcho(result: string): (x: number) => Promise<number> {
  // oxlint-disable-next-line typescript/no-implied-eval -- code that is new each time
  return new Function(`return async (x) => ${result}`)()
}

function newName(): string {
  return `echo-${crypto.randomUUID().slice(0, 13)}`
}

function startDaemon(
  entry: string,
  environment: Readonly<Record<string, string | undefined>>,
  port: string,
): Promise<Program> {
  return startProgram([process.execPath, entry], /"url":"([^"]+)"/, {
    ...environment,
    BUNHOUSE_PORT: port,
  })
}
