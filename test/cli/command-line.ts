import { setDefaultTimeout } from "bun:test"
import { readFileSync, readlinkSync } from "node:fs"
import { join } from "node:path"
import { Daemon } from "../../client/daemon.ts"
import type { ConnectOptions } from "../../client/settings.ts"
import { homePaths, type HomePaths } from "../../protocol/home.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { natsServer } from "../support/nats-server.ts"
import { processesWith } from "../support/processes.ts"
import { until } from "../support/until.ts"

// Each command is a process, and a test runs several of them.
setDefaultTimeout(20_000)

/**
 * `bunhouse` as its users run it: real processes, in a home of one test. What it started is gone with the scope.
 *
 *     await using cli = await commandLine()
 *     const { stdout } = await cli.run("start")
 */
export interface CommandLine extends AsyncDisposable {
  readonly folder: TemporaryFolder
  readonly home: HomePaths
  readonly variables: Readonly<Record<string, string>>
  /** Runs a command to its end; fails when it takes longer than 30 s. */
  run(...words: string[]): Promise<Ran>
  /** Starts a command; whoever does may end it early. */
  spawn(...words: string[]): Started
  /** The same, with other variables beside those of the command line. */
  spawnWith(more: Readonly<Record<string, string>>, ...words: string[]): Started
  /** Pid of the daemon, from its record. */
  daemonPid(): number
  /** The library, as a client of the daemon that runs now. */
  connect(options?: ConnectOptions): Daemon
  /** Processes of this home: what has its folder in its arguments or works in it. */
  processes(): string[]
}

interface Ran {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  /** Stdout as one JSON document. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into documents of all kinds
  readonly json: any
}

interface Started {
  readonly pid: number
  readonly ended: Promise<Ran>
  kill(signal: NodeJS.Signals): void
  /** What it wrote so far. */
  readonly stdout: () => string
  readonly stderr: () => string
}

export async function commandLine(
  more: (folder: TemporaryFolder) => Readonly<Record<string, string>> = () => ({}),
): Promise<CommandLine> {
  const folder = temporaryFolder()
  const home = homePaths(folder.join("home"))
  const { path } = await natsServer()
  const variables = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder.path,
    TZ: "UTC",
    BUNHOUSE_HOME: home.root,
    BUNHOUSE_PORT: "0",
    BUNHOUSE_NATS_SERVER: path,
    // Bundles are for the next start, and would cost each of these tests a second of the machine.
    BUNHOUSE_BUNDLE: "0",
    ...more(folder),
  }
  const started = new Set<Started>()
  const clients: Daemon[] = []
  const spawnWith: CommandLine["spawnWith"] = (others, ...words) => {
    const program = spawnProgram(words, { ...variables, ...others }, folder.path)
    started.add(program)
    void program.ended.then(() => started.delete(program))
    return program
  }
  const spawn = (...words: string[]): Started => spawnWith({}, ...words)
  return {
    folder,
    home,
    variables,
    spawn,
    spawnWith,
    run: (...words) => withinTime(spawn(...words), words),
    daemonPid: () => JSON.parse(readFileSync(home.daemon, "utf8")).pid,
    connect(options = {}) {
      const client = new Daemon(options, { BUNHOUSE_HOME: home.root })
      clients.push(client)
      return client
    },
    processes: () => processesOf(folder.path),
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close()
      for (const program of started) program.kill("SIGKILL")
      const { stderr } = await withinTime(spawn("stop", "--timeout", "0"), ["stop"])
      await until(() => processesOf(folder.path).length === 0, `an end of all processes ${stderr}`)
      folder[Symbol.dispose]()
    },
  }
}

function spawnProgram(
  words: readonly string[],
  variables: Readonly<Record<string, string>>,
  cwd: string,
): Started {
  const child = Bun.spawn([process.execPath, PROGRAM, ...words], {
    cwd,
    env: variables,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  const ended = Promise.all([child.exited, stdout.whole, stderr.whole]).then(
    ([exitCode, out, err]) => ({
      exitCode,
      stdout: out,
      stderr: err,
      get json() {
        return JSON.parse(out)
      },
    }),
  )
  return {
    pid: child.pid,
    ended,
    kill: (signal) => child.kill(signal),
    stdout: stdout.soFar,
    stderr: stderr.soFar,
  }
}

function collect(stream: ReadableStream<Uint8Array>) {
  let text = ""
  const read = async (): Promise<string> => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true })
    return text
  }
  return { whole: read(), soFar: () => text }
}

async function withinTime(program: Started, words: readonly string[]): Promise<Ran> {
  const timer = setTimeout(() => program.kill("SIGKILL"), RUN_MS_MAX)
  const ran = await program.ended
  clearTimeout(timer)
  if (ran.exitCode !== 137) return ran
  throw new Error(`bunhouse ${words.join(" ")} did not end: ${ran.stdout}${ran.stderr}`)
}

/** By arguments or by working folder: daemon, env processes and what functions start name the home in no argument. */
function processesOf(folder: string): string[] {
  const { stdout } = Bun.spawnSync(["ps", "ax", "-o", "pid=,stat=,args="])
  const lines = stdout.toString().trim().split("\n")
  const working = lines.filter((line) => {
    return !/^\s*\d+\s+Z/.test(line) && folderOf(Number.parseInt(line, 10)).startsWith(folder)
  })
  return [...new Set([...processesWith(folder), ...working.map((line) => line.trim())])]
}

function folderOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return "" // Gone, or not ours.
  }
}

const PROGRAM = join(import.meta.dir, "../../cli/main.ts")
const RUN_MS_MAX = 30_000
