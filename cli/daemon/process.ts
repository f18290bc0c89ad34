import { existsSync, readFileSync } from "node:fs"
import { processStart } from "../../server/entry.ts"

/** Names one process for good: a pid that was given to another program comes with another start. */
export interface ProcessIdentity {
  readonly pid: number
  readonly processStart: string
}

/**
 * True while that very process lives and runs the daemon's program. A zombie does not live. Where the system does not
 * tell, the answer is no, so that no signal ever reaches a stranger.
 */
export function isDaemonProcess({ pid, processStart: start }: ProcessIdentity): boolean {
  return isRunning(pid) && runsDaemon(pid) && processStart(pid) === start
}

/** Who runs the daemon's program under this pid now; undefined when nobody does. */
export function daemonProcess(pid: number): ProcessIdentity | undefined {
  const start = isRunning(pid) && runsDaemon(pid) ? processStart(pid) : undefined
  return start === undefined ? undefined : { pid, processStart: start }
}

function isRunning(pid: number): boolean {
  const state = HAS_PROC
    ? // Behind the program's name in parentheses, which may hold anything.
      /\) (\S)[^)]*$/.exec(read(`/proc/${pid}/stat`))?.[1]
    : ps(pid, "stat=").charAt(0)
  return state !== undefined && !ENDED.has(state)
}

function runsDaemon(pid: number): boolean {
  const words = HAS_PROC ? read(`/proc/${pid}/cmdline`).split("\0") : ps(pid, "args=").split(" ")
  return words.some((word) => PROGRAM.test(word))
}

/** Source or bundle, also of an installation elsewhere: an older version may have been started from another folder. */
const PROGRAM = /server\/main\.[tj]s$/

/** No process, zombie, dead. */
const ENDED = new Set(["", "Z", "X"])

const HAS_PROC = existsSync("/proc/self/stat")

function read(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

function ps(pid: number, column: string): string {
  try {
    return Bun.spawnSync(["ps", "-o", column, "-p", String(pid)])
      .stdout.toString()
      .trim()
  } catch {
    return "" // No ps on this system.
  }
}
