import { readdirSync, readFileSync } from "node:fs"
import { now } from "../protocol/deadlines.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { BROKER_STOP_MS_MAX } from "../protocol/limits.ts"
import type { BrokerPaths } from "./config.ts"

/**
 * Sees to it that the nats-server of an earlier daemon is gone: two of them on one store would ruin it, and neither
 * would notice. A daemon that was killed takes its server along (L1), but not in the same instant.
 */
export async function awaitLeftovers(paths: BrokerPaths): Promise<void> {
  for (const pid of recordedPids(paths)) {
    const dueAt = now() + BROKER_STOP_MS_MAX
    for (let isKilled = false; isOurs(pid, paths); await Bun.sleep(POLL_MS)) {
      if (now() < dueAt) continue
      if (isKilled) {
        const message = `the nats-server of an earlier daemon (process ${pid}) cannot be ended`
        throw new BunhouseError("UNAVAILABLE", message)
      }
      kill(pid)
      isKilled = true
    }
  }
}

const POLL_MS = 5

function recordedPids(paths: BrokerPaths): number[] {
  let names: string[]
  try {
    names = readdirSync(paths.ports)
  } catch {
    return []
  }
  return names.flatMap((name) => /_(\d+)\.ports$/.exec(name)?.[1] ?? []).map(Number)
}

/** The pid may have been given to another program since: ours has our configuration in its arguments. */
function isOurs(pid: number, paths: BrokerPaths): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(paths.config)
  } catch {
    if (process.platform === "linux") return false
    const { stdout } = Bun.spawnSync(["ps", "-o", "args=", "-p", String(pid)])
    return stdout.toString().includes(paths.config)
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // ESRCH: it ended by itself in the same moment. Any other failure shows in that it runs on.
  }
}
