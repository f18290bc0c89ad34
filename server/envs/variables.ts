import type { Environment } from "../../protocol/home.ts"

/**
 * The environment of an env process: an allow-list, because the daemon's own environment holds secrets (its token, cloud
 * credentials) that a function has no business with.
 */
export function envVariables(daemon: Environment, home: string): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const [name, value] of Object.entries(daemon)) {
    if (value !== undefined && (PASSED_ON.has(name) || name.startsWith("LC_"))) passed[name] = value
  }
  // For the library inside of an env: `here` is the daemon that runs the env, and the env's log is not for its notices.
  return { ...passed, BUNHOUSE_HOME: home, BUNHOUSE_QUIET: "1" }
}

const PASSED_ON = new Set([
  "HOME",
  "LANG",
  "LANGUAGE",
  "LOGNAME",
  "PATH",
  "SHELL",
  "TMPDIR",
  "TZ",
  "USER",
  "XDG_CACHE_HOME",
])
