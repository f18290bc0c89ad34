import { closeSync, openSync } from "node:fs"
import { programPath } from "../../protocol/root.ts"
import type { EnvProcessOptions } from "./process.ts"

/** Starts the program of an env process. It dies with the daemon, even when that is killed. */
export function spawnEnvProcess(
  options: EnvProcessOptions,
): Bun.Subprocess<"pipe", number, number> {
  const log = openSync(options.logFile, "a", 0o600)
  try {
    const flags = ["--no-orphans", "--no-install", "--no-env-file", ...options.bunArgs]
    return Bun.spawn([process.execPath, ...flags, ENTRY], {
      cwd: options.cwd,
      env: { ...options.variables },
      stdin: "pipe",
      stdout: log,
      stderr: log,
      // A group of its own, so that whatever the functions start can be ended with it.
      detached: true,
    })
  } finally {
    closeSync(log)
  }
}

/** Started as a program, never imported: the daemon runs no user code. */
const ENTRY = programPath("envs/main.ts")
