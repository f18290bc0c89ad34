import { join } from "node:path"
import { Daemon } from "../../client/daemon.ts"
import type { ConnectOptions } from "../../client/settings.ts"
import { ALLOCATOR } from "../../server/entry.ts"
import { bundledDaemon } from "./bundled.ts"
import { temporaryFolder } from "./folder.ts"
import { natsServer } from "./nats-server.ts"

/**
 * A daemon of one test: its own home, port, broker and processes, all gone with the scope.
 *
 *     await using stack = await startStack()
 *     const add = await fn(async function add(a: number, b: number) { return a + b }).to(stack.here)
 */
export interface Stack extends AsyncDisposable {
  /** The daemon as its users see it. */
  readonly here: Daemon
  readonly url: string
  readonly token: string
  readonly home: string
  /** Of the daemon process. */
  readonly pid: number
  /** Another client of the same daemon. */
  connect(options?: ConnectOptions): Daemon
  /** What the daemon logged so far. */
  log(): Promise<string>
  /** SIGKILL for the daemon; resolves when it is gone. */
  kill(): Promise<void>
  /** Starts a daemon in the same home, on the same port, after `kill` or `stop`. */
  startAgain(): Promise<void>
  /** Ends the daemon as `bunhouse stop` would. */
  stop(): Promise<void>
}

export interface StackOptions {
  /** Environment variables of the daemon beside the test's own. */
  readonly variables?: Readonly<Record<string, string>>
  /** What the daemon is started by. Default: its bundle, made of the sources as they are. */
  readonly program?: string
}

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const folder = temporaryFolder()
  const home = folder.join("home")
  const { path: natsServerPath } = await natsServer()
  const environment = {
    ...ALLOCATOR,
    PATH: process.env["PATH"] ?? "",
    HOME: folder.path,
    BUNHOUSE_HOME: home,
    BUNHOUSE_NATS_SERVER: natsServerPath,
    ...options.variables,
  }
  const program = options.program ?? (await bundledDaemon())
  const logFile = folder.join("daemon.log")
  const clients: Daemon[] = []
  let running = await launch(program, environment, logFile, "0")
  const { url } = running
  const given = options.variables?.["BUNHOUSE_TOKEN"]
  const token = given ?? (await Bun.file(join(home, "token")).text()).trim()
  const connect = (more: ConnectOptions = {}): Daemon => {
    const client = new Daemon({ url, token, ...more }, { BUNHOUSE_HOME: home })
    clients.push(client)
    return client
  }
  const end = async (signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    running.child.kill(signal)
    await running.child.exited
  }
  return {
    here: connect(),
    url,
    token,
    home,
    get pid() {
      return running.child.pid
    },
    connect,
    log: () => Bun.file(logFile).text(),
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    async startAgain() {
      running = await launch(program, environment, logFile, new URL(url).port)
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close()
      await end("SIGTERM")
      folder[Symbol.dispose]()
    },
  }
}

interface Running {
  readonly child: Bun.Subprocess
  readonly url: string
}

async function launch(
  program: string,
  environment: Readonly<Record<string, string>>,
  logFile: string,
  port: string,
): Promise<Running> {
  const child = Bun.spawn([process.execPath, program], {
    env: { ...environment, BUNHOUSE_PORT: port },
    stdin: "ignore",
    stdout: "pipe",
    stderr: Bun.file(logFile),
  })
  const said: unknown[] = []
  for await (const line of linesOf(child.stdout)) {
    if (typeof line.url === "string") return { child, url: line.url }
    said.push(line)
  }
  throw new Error(
    `the daemon did not start: ${JSON.stringify(said)}\n${await Bun.file(logFile).text()}`,
  )
}

/** Lines of JSON; the stream stays open when they are no longer read. */
async function* linesOf(stdout: ReadableStream<Uint8Array>): AsyncGenerator<{ url?: unknown }> {
  const reader = stdout.getReader()
  let text = ""
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const lines = (text += Buffer.from(value).toString()).split("\n")
    text = lines.pop() ?? ""
    for (const line of lines) yield JSON.parse(line)
  }
}
