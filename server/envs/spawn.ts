import { closeSync } from "node:fs"
import { programPath } from "../../protocol/root.ts"
import { ALLOCATOR } from "../programs.ts"
import { openLog } from "./env-log.ts"
import type { EnvProcessOptions } from "./process-options.ts"

/** Starts the program of an env process. It dies with the daemon, even when that is killed. */
export function spawnEnvProcess(
  options: EnvProcessOptions,
): Bun.Subprocess<"pipe", number, number> {
  const log = openLog(options.logFile)
  try {
    const flags = ["--no-orphans", "--no-install", "--no-env-file", ...options.bunArgs]
    return Bun.spawn([process.execPath, ...flags, ENTRY], {
      cwd: options.cwd,
      env: { ...ALLOCATOR, ...ENGINE, ...options.variables },
      // The last one is the watchdog's (WATCH_FD).
      stdio: ["pipe", log, log, "pipe"],
      // A group of its own, so that whatever the functions start can be ended with it.
      detached: true,
    })
  } finally {
    closeSync(log)
  }
}

/**
 * Optimised loops look for a request to end by themselves. Without it, ending the thread of a function that computes takes
 * Bun 0.1 to 1.4 s instead of 10 ms; with it, the tightest loops are a twentieth slower.
 */
const ENGINE = { BUN_JSC_usePollingTraps: "1" }

/** Started as a program, never imported: the daemon runs no user code. */
const ENTRY = programPath("envs/main.ts")
