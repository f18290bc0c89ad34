import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import type { Environment } from "../protocol/home.ts"
import { sourcePath } from "../protocol/root.ts"
import { PACKAGE_VERSION } from "../protocol/version.ts"

/**
 * The programs that run as processes or threads of their own. Each can be started from its source; bundled ahead it starts
 * in half the time, so `bunhouse start` has bundles made, in the background, for the next start (bundle.ts).
 *
 * Invariants:
 * B1. A bundle is used only where it was made of exactly these sources by this very Bun: its folder is named after them.
 * B2. What stands in several bundles is there several times. What all of a process or thread must share (a class that
 *     `instanceof` asks for, the call that runs) is therefore in one of MODULES; what others keep is their own affair.
 */
export const PROGRAMS = [
  "server/main.ts",
  "envs/main.ts",
  "envs/threads/thread.ts",
  "envs/watchdog/thread.ts",
] as const

/**
 * Modules that are bundles of their own: whoever imports one gets it from there, once for each process or thread, and not
 * before the import runs. So a thread reads the library only when its function asks for it, and the library knows the same
 * errors and the same call as the thread does, as it is from source.
 */
export const MODULES = ["protocol/errors.ts", "client/context.ts", "client/index.ts"] as const

/**
 * Memory that was freed stays with the process for a second rather than for 10 ms: large values come one after another, and
 * taking memory from the system anew costs more than copying a value into it. Of daemon and env processes.
 */
export const ALLOCATOR: Environment = { MIMALLOC_PURGE_DELAY: "1000" }

/** What to start the daemon by: its bundle where there is one, else its source. BUNHOUSE_BUNDLE=0 asks for the source. */
export function daemonProgram(cache: string, environment: Environment): string {
  if (environment["BUNHOUSE_BUNDLE"] === "0") return sourcePath("server/main.ts")
  const bundle = join(bundleFolder(cache), "server/main.js")
  return existsSync(bundle) ? bundle : sourcePath("server/main.ts")
}

/**
 * Makes the bundles for the next start, unless they are there. Returns at once: a process of its own makes them. Nothing
 * depends on its success.
 */
export function bundleInBackground(cache: string, environment: Environment): void {
  if (environment["BUNHOUSE_BUNDLE"] === "0" || existsSync(bundleFolder(cache))) return
  const child = Bun.spawn([process.execPath, sourcePath("server/bundle.ts"), cache], {
    stdio: ["ignore", "ignore", "ignore"],
    detached: true,
  })
  child.unref()
}

/** Where bundles of the sources as they are now belong, whether or not they are there. */
export function bundleFolder(cache: string): string {
  key ??= keyOfSources()
  return join(bundlesFolder(cache), key)
}

/** All bundles, also of other versions. */
export function bundlesFolder(cache: string): string {
  return join(cache, "programs")
}

let key: string | undefined

/** B1. Names, sizes and times of the sources, which is a few milliseconds; what they import from packages by version. */
function keyOfSources(): string {
  const hash = new Bun.CryptoHasher("sha256")
  hash.update(`${PACKAGE_VERSION} ${Bun.version} ${Bun.revision} ${sourcePath("")}`)
  for (const room of ROOMS) {
    const files = readdirSync(sourcePath(room), { recursive: true, encoding: "utf8" }).toSorted()
    for (const file of files) hashFile(hash, sourcePath(`${room}/${file}`))
  }
  // Changes with every installation of packages.
  for (const file of ["package.json", "bun.lock"]) hashFile(hash, sourcePath(file))
  return hash.digest("hex").slice(0, 16)
}

const ROOMS = ["protocol", "broker", "server", "envs", "client"]

function hashFile(hash: Bun.CryptoHasher, path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat !== undefined) hash.update(`${path} ${stat.size} ${stat.mtimeMs}\n`)
}
