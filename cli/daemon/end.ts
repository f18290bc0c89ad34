import { Control } from "../../client/control.ts"
import { resolveAddress } from "../../client/settings.ts"
import { now } from "../../protocol/deadlines.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import type { Environment } from "../../protocol/home.ts"
import { paths } from "../../protocol/http.ts"
import { BROKER_STOP_MS_MAX } from "../../protocol/limits.ts"
import { isDaemonProcess, type ProcessIdentity } from "./process.ts"

/**
 * Ends one daemon process for certain: it is asked, then told by signals, then killed.
 *
 * Invariants:
 * K1. No signal without having seen, right before, that pid, start and program are those of the daemon.
 * K2. When it resolves, the process is gone; its envs and its broker die with it.
 */
export interface EndOptions {
  readonly daemon: ProcessIdentity
  /** Where to ask; undefined for a daemon that is asked by a signal. */
  readonly url: string | undefined
  readonly environment: Environment
  /** How long it may take to end by itself, running calls included. 0 does not ask. */
  readonly timeoutMs: number
  /** Lines for a person who waits. */
  readonly progress: (line: string) => void
}

/** `asked`: by itself, once running calls had ended; `signalled`: at once, running calls were lost; `killed`: it did not react. */
export type End = "asked" | "signalled" | "killed"

/** @throws {BunhouseError} UNAVAILABLE when even SIGKILL does not end it. */
export async function endDaemon(options: EndOptions): Promise<End> {
  const { daemon, timeoutMs, progress } = options
  if (await endsByItself(options)) return "asked"
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

/** Asks it. True once it is gone, false when the time is up. */
async function endsByItself(options: EndOptions): Promise<boolean> {
  const { daemon, timeoutMs, progress } = options
  if (timeoutMs === 0) return false
  const dueAt = now() + timeoutMs
  void ask(options) // Its end is the process's end, which is waited for below.
  if (await isGone(daemon, Math.min(timeoutMs, QUIET_MS))) return true
  if (now() >= dueAt) return false
  progress("waiting for the daemon; it lets running calls end")
  return isGone(daemon, dueAt - now())
}

/** By a request; where that cannot be made, or is refused, by a first signal, which means the same. Never rejects. */
async function ask({ daemon, url, environment, timeoutMs }: EndOptions): Promise<void> {
  if (url !== undefined) {
    const control = new Control(() => resolveAddress({ url }, environment))
    try {
      await control.request("POST", paths.shutdown, undefined, timeoutMs)
      return
    } catch (error) {
      // It hangs, and the time is up.
      if (error instanceof BunhouseError && error.code === "DEADLINE_EXCEEDED") return
    }
  }
  signal(daemon, "SIGTERM")
}

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
