import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { now } from "../protocol/deadlines.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { BROKER_STOP_MS_MAX } from "../protocol/limits.ts"
import type { BrokerPaths } from "./config.ts"
import { killGroup } from "./kill-group.ts"

/**
 * One life of the embedded nats-server: its process, from the start to the end. Whether another life follows is
 * decided in embedded.ts.
 *
 * Invariants:
 * L1. The server dies with the daemon, even when that is killed with SIGKILL. The server knows no such thing, so a
 *     shell beside it reads from a pipe that only the daemon holds open, and kills the process group when the pipe ends.
 *     This needs nothing but POSIX, where PR_SET_PDEATHSIG needs Linux and ends with the thread that set it.
 * L2. The shell execs the server, so `pid` is the server's own and its exit status and signal are seen as they are. The
 *     shell that watches stays in the group, which keeps the system from giving the group's number to others: its kill
 *     cannot hit a stranger.
 * L3. `port` is where this very process listens: the server says so itself in a file that carries its pid. Whoever else
 *     listens there is never taken for it.
 * L4. No secret is in its arguments or its environment.
 */
export interface BrokerLife {
  readonly pid: number
  readonly port: number
  /** Settles, with the reason in words, once the process is gone. */
  readonly exited: Promise<string>
  /** Ends the process, by force after BROKER_STOP_MS_MAX. Legal at any time; settles when the process is gone. */
  stop(): Promise<void>
}

export interface LifeOptions {
  readonly program: string
  readonly paths: BrokerPaths
  /** From the start until it listens. */
  readonly timeoutMs: number
  /** Ends a start that is under way. */
  readonly signal: AbortSignal
}

/** Settles once the server listens. Throws UNAVAILABLE with what the server said; nothing is left running then. */
export async function startLife(options: LifeOptions): Promise<BrokerLife> {
  const { paths } = options
  const child = spawn(options)
  const exited = child.exited.then(() => {
    void child.stdin.end() // Ends the watching shell (L1). Nothing was ever written, so nothing can get lost.
    return endOf(child, paths)
  })
  const stop = async () => {
    child.kill("SIGTERM")
    const killer = setTimeout(() => killGroup(child.pid), BROKER_STOP_MS_MAX)
    await exited
    clearTimeout(killer)
  }
  try {
    const port = await listening(child, options)
    if (port !== undefined) return { pid: child.pid, port, exited, stop }
  } catch (error) {
    killGroup(child.pid)
    await exited
    throw error
  }
  throw notStarted(await exited)
}

/** Settles with the port, or with undefined when the process ended instead. */
async function listening(child: Bun.Subprocess, options: LifeOptions): Promise<number | undefined> {
  const { paths, timeoutMs, signal } = options
  const dueAt = now() + timeoutMs
  while (child.exitCode === null && child.signalCode === null) {
    const port = portOf(child.pid, paths)
    if (port !== undefined) return port
    if (signal.aborted) throw notStarted("it was told to stop")
    if (now() >= dueAt) throw notStarted(`not ready within ${timeoutMs} ms (see ${paths.log})`)
    await Bun.sleep(PORT_POLL_MS)
  }
  return undefined
}

const PORT_POLL_MS = 2

// Descriptor 3 is the pipe, because a shell gives /dev/null to the stdin of what it starts in the background.
const LIFELINE = `
exec 3<&0 </dev/null
{ read -r _ <&3; kill -s KILL -- "-$$"; } &
exec 3<&-
exec "$@"
`

function spawn({ program, paths }: LifeOptions): Bun.Subprocess<"pipe", number, number> {
  rmSync(paths.ports, { recursive: true, force: true })
  mkdirSync(paths.ports, { mode: 0o700 })
  removeOldLogs(paths)
  const output = openSync(paths.output, "w", 0o600)
  try {
    return Bun.spawn(["/bin/sh", "-c", LIFELINE, "bunhouse-broker", program, "-c", paths.config], {
      cwd: dirname(paths.config),
      env: {},
      stdin: "pipe",
      stdout: output,
      stderr: output,
      detached: true,
    })
  } finally {
    closeSync(output)
  }
}

/** The server writes `<program>_<pid>.ports`: {"nats": ["nats://127.0.0.1:35289"]}. */
function portOf(pid: number, paths: BrokerPaths): number | undefined {
  const name = readdirSync(paths.ports).find((file) => file.endsWith(`_${pid}.ports`))
  if (name === undefined) return undefined
  // The file is not written at once: what does not match yet is looked at again.
  const text = readFileSync(join(paths.ports, name), "utf8")
  const port = /"nats:\/\/127\.0\.0\.1:(\d+)"\]/.exec(text)?.[1]
  return port === undefined ? undefined : Number(port)
}

function removeOldLogs(paths: BrokerPaths): void {
  const prefix = `${basename(paths.log)}.`
  for (const name of readdirSync(dirname(paths.log))) {
    if (name.startsWith(prefix)) rmSync(join(dirname(paths.log), name), { force: true })
  }
}

/** How the process ended, and why as far as it said so: the trace of a crash, or the errors that it calls fatal. */
function endOf(child: Bun.Subprocess, paths: BrokerPaths): string {
  const how = child.signalCode ?? `exit code ${child.exitCode}`
  const fatal = readLines(paths.log)
    .map((line) => /^\[(\d+)\] \S+ \S+ \[FTL\] (.*)/.exec(line))
    .flatMap((match) => (match?.[1] === String(child.pid) ? (match[2] ?? []) : []))
  return [how, ...readLines(paths.output).slice(0, LINES_MAX), ...fatal.slice(-LINES_MAX)].join(
    "; ",
  )
}

const LINES_MAX = 3

function readLines(path: string): string[] {
  try {
    const lines = readFileSync(path, "utf8").split("\n")
    return lines.map((line) => line.trim()).filter((line) => line !== "")
  } catch {
    return []
  }
}

function notStarted(reason: string): BunhouseError {
  return new BunhouseError("UNAVAILABLE", `nats-server did not start: ${reason}`)
}
