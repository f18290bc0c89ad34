import { Control } from "../../client/control.ts"
import { resolveAddress } from "../../client/settings.ts"
import { now } from "../../protocol/deadlines.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import type { Environment } from "../../protocol/home.ts"
import { paths } from "../../protocol/http.ts"
import { BROKER_STOP_MS_MAX } from "../../protocol/limits.ts"
import { isDaemonProcess, type ProcessIdentity } from "./process.ts"

/**
 * Ends one daemon process for certain: it is asked, then told by a signal, then killed.
 *
 * Invariants:
 * K1. No signal without having seen, right before, that pid, start and program are those of the daemon.
 * K2. When it resolves, the process is gone; its envs and its broker die with it.
 */
export interface EndOptions {
  readonly daemon: ProcessIdentity
  /** Where to ask; undefined for a daemon that is not to be asked. */
  readonly url: string | undefined
  readonly environment: Environment
  /** How long it may take to end by itself, running calls included. 0 does not ask. */
  readonly timeoutMs: number
  /** Lines for a person who waits. */
  readonly progress: (line: string) => void
}

/** `asked`: by itself; `signalled`: at once, running calls were lost; `killed`: it did not react. */
export type End = "asked" | "signalled" | "killed"

/** @throws {BunhouseError} UNAVAILABLE when even SIGKILL does not end it. */
export async function endDaemon(options: EndOptions): Promise<End> {
  const { daemon, timeoutMs, progress } = options
  if (await endsByRequest(options)) return "asked"
  progress(
    timeoutMs === 0
      ? "ending it at once"
      : `process ${daemon.pid} did not end by itself; ending it by signals`,
  )
  // The first signal asks once more, the second one ends the wait for running calls. Equal ones could become one.
  signal(daemon, "SIGTERM")
  signal(daemon, "SIGINT")
  if (await isGone(daemon, SIGNAL_MS_MAX)) return "signalled"
  progress(`process ${daemon.pid} does not react to signals; killing it`)
  signal(daemon, "SIGKILL")
  if (await isGone(daemon, KILL_MS_MAX)) return "killed"
  throw new BunhouseError("UNAVAILABLE", `the daemon (process ${daemon.pid}) cannot be ended`)
}

/** True once it is gone. False when it refuses, or when the time is up. */
async function endsByRequest(options: EndOptions): Promise<boolean> {
  const { daemon, url, environment, timeoutMs, progress } = options
  if (url === undefined || timeoutMs === 0) return false
  const dueAt = now() + timeoutMs
  const refused = new AbortController()
  const control = new Control(() => resolveAddress({ url }, environment))
  const asked = control.request("POST", paths.shutdown, undefined, timeoutMs).catch((error) => {
    // Nobody answers: it is stopping already, or hangs. Anything else is a no.
    const isSilent = error instanceof BunhouseError && SILENT.has(error.code)
    if (!isSilent) refused.abort()
  })
  void asked // Its end is the process's end, which is waited for below.
  if (await isGone(daemon, Math.min(timeoutMs, QUIET_MS), refused.signal)) return true
  if (refused.signal.aborted || now() >= dueAt) return false
  progress("waiting for the daemon; it lets running calls end")
  return isGone(daemon, dueAt - now(), refused.signal)
}

const SILENT: ReadonlySet<string> = new Set(["NO_DAEMON", "DEADLINE_EXCEEDED"])

async function isGone(
  daemon: ProcessIdentity,
  timeoutMs: number,
  cancel?: AbortSignal,
): Promise<boolean> {
  const dueAt = now() + timeoutMs
  while (isDaemonProcess(daemon)) {
    if (now() >= dueAt || cancel?.aborted === true) return false
    await Bun.sleep(LOOK_MS)
  }
  return true
}

function signal(daemon: ProcessIdentity, name: "SIGTERM" | "SIGINT" | "SIGKILL"): void {
  if (!isDaemonProcess(daemon)) return // K1
  try {
    process.kill(daemon.pid, name)
  } catch {
    // ESRCH: it ended in the same moment.
  }
}

const LOOK_MS = 3
/** Shorter waits are not worth a word. */
const QUIET_MS = 1_000
/** A daemon in a hurry still ends its envs and its broker. */
const SIGNAL_MS_MAX = BROKER_STOP_MS_MAX + 1_000
const KILL_MS_MAX = 5_000
