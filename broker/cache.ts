import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { type NatsServerBinary, type NatsServerOrigin, proveNatsServer } from "./binary.ts"

/**
 * The cache folder: programs that were fetched, one file each, named by version and platform.
 *
 * Invariants:
 * C1. A file appears under its final name whole, executable and proved, by one rename: whoever fetches the same
 *     program at the same time does no harm, and a fetch that is cut off leaves nothing that is taken for a program.
 * C2. A scratch folder is removed by whoever made it; one that a killed process left is removed by a later fetch.
 */

/** Programs in the cache, newest version first. */
export async function cachedNatsServers(cache: string): Promise<string[]> {
  const suffix = `-${natsPlatform() ?? "unknown"}`
  const names = await readdir(cache).catch(() => [])
  return names
    .filter((name) => name.startsWith(PREFIX) && name.endsWith(suffix))
    .toSorted((a, b) => Bun.semver.order(versionIn(b, suffix), versionIn(a, suffix)))
    .map((name) => join(cache, name))
}

/** Puts a program into the cache (C1). */
export async function installNatsServer(
  cache: string,
  scratch: string,
  program: Uint8Array,
  origin: NatsServerOrigin,
): Promise<NatsServerBinary> {
  const temporary = join(scratch, "nats-server")
  await Bun.write(temporary, program)
  await chmod(temporary, 0o755)
  const { version } = await proveNatsServer(temporary, origin)
  const path = join(cache, `${PREFIX}${version}-${natsPlatform() ?? "unknown"}`)
  await rename(temporary, path)
  return { path, version, origin }
}

/** A folder of this fetch alone, on the cache's file system so that a rename out of it is atomic. */
export interface Scratch extends AsyncDisposable {
  readonly path: string
}

export async function makeScratch(cache: string): Promise<Scratch> {
  await mkdir(cache, { recursive: true, mode: 0o700 })
  await removeForgotten(cache)
  const path = await mkdtemp(join(cache, SCRATCH_PREFIX))
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}

/** Operating system and processor as nats-server's releases call them; undefined where there is no release. */
export function natsPlatform(): string | undefined {
  const system = { linux: "linux", darwin: "darwin", freebsd: "freebsd" }[
    process.platform as string
  ]
  const processor = { x64: "amd64", arm64: "arm64" }[process.arch as string]
  return system === undefined || processor === undefined ? undefined : `${system}-${processor}`
}

const PREFIX = "nats-server-v"
const SCRATCH_PREFIX = ".fetch-"
const SCRATCH_AGE_MS_MAX = 60 * 60_000

function versionIn(name: string, suffix: string): string {
  return name.slice(PREFIX.length, -suffix.length)
}

async function removeForgotten(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!name.startsWith(SCRATCH_PREFIX)) continue
    const path = join(cache, name)
    const made = await stat(path).catch(() => undefined)
    if (made === undefined || Date.now() - made.mtimeMs < SCRATCH_AGE_MS_MAX) continue
    await rm(path, { recursive: true, force: true })
  }
}
