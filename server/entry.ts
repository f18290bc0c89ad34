import type { ErrorRecord } from "../protocol/errors.ts"

/**
 * The server's public entry: what the command line needs to start a daemon, and nothing that would load one.
 * Arguments: host and port, each "" for what the environment says.
 */
export { ALLOCATOR, bundleInBackground, daemonProgram } from "./programs.ts"

/** A line on the daemon's stdout while it starts. The last one has `url` or `error`. */
export type StartLine =
  | { readonly progress: string }
  | { readonly url: string; readonly pid: number }
  | { readonly error: ErrorRecord }

/** What a daemon says that finds another one in its home: who started it may wait for that one instead. */
export function homeTaken(root: string): string {
  return `a daemon is running in ${root} already`
}

export { prepareHome } from "./home.ts"
export { processStart } from "./process-start.ts"
