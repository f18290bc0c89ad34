import { join } from "node:path"
import { sourcePath } from "../../protocol/root.ts"
import { daemonProgram } from "../../server/entry.ts"

/**
 * The daemon's program as users run it from their second start on: bundled. Made once, into the repository's `.cache`; a
 * daemon, an env process or a thread then starts with half the work, and tests start many.
 */
export function bundledDaemon(): Promise<string> {
  made ??= make()
  return made
}

let made: Promise<string> | undefined

async function make(): Promise<string> {
  const cache = join(import.meta.dir, "..", "..", ".cache")
  const bundler = Bun.spawn([process.execPath, sourcePath("server/bundle.ts"), cache], {
    stdio: ["ignore", "inherit", "inherit"],
  })
  if ((await bundler.exited) !== 0) throw new Error("the programs cannot be bundled")
  return daemonProgram(cache, {})
}
