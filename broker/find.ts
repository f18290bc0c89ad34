import { isAbsolute, resolve } from "node:path"
import { BunhouseError } from "../protocol/errors.ts"
import type { Environment } from "../protocol/home.ts"
import { type NatsServerBinary, type NatsServerOrigin, OLDEST_NATS_SERVER } from "./binary.ts"
import { proveOnce } from "./proof.ts"
import { reasonOf } from "./reason.ts"

/**
 * Finds a nats-server, or fetches one: the variable BUNHOUSE_NATS_SERVER, then PATH, then the cache, then an official
 * release, then the distribution's package.
 *
 * Invariants:
 * S1. What the user named is used or refused, never silently replaced by another.
 * S2. Whatever is returned was run once, now or by an earlier start (proof.ts); what was found but cannot be used is told and
 *     passed over.
 */
export interface FindOptions {
  /** Read: BUNHOUSE_NATS_SERVER, BUNHOUSE_NATS_RELEASES, PATH, and proxies for fetching. */
  readonly environment: Environment
  /** Folder for fetched programs; made when something is fetched. */
  readonly cache: string
  /** Lines for a person who waits: what is fetched, from where, how far; what was passed over and why. */
  readonly progress: (line: string) => void
  /** False: what is found is run, though an earlier start has done so. Default: true. */
  readonly trustsProof?: boolean
  /** Looked into after PATH. Default: where Debian puts the server and the PATH of most users does not look. */
  readonly systemFolders?: readonly string[]
  readonly releases?: {
    /** Wins over BUNHOUSE_NATS_RELEASES. Default: GitHub's releases of nats-server. */
    readonly base?: string
    /** Default: NATS_RELEASE_VERSION. */
    readonly version?: string
  }
}

/** Throws UNAVAILABLE with all that was tried and what to do. */
export async function findNatsServer(options: FindOptions): Promise<NatsServerBinary> {
  const { environment, cache, progress, releases, systemFolders = SYSTEM_FOLDERS } = options
  const named = text(environment, "BUNHOUSE_NATS_SERVER")
  if (named !== undefined) return await proveNamed(resolve(named), options)
  const base = releases?.base ?? text(environment, "BUNHOUSE_NATS_RELEASES")
  const ways: Record<string, () => Promise<NatsServerBinary>> = {
    PATH: () => firstUsable(onPath(environment, systemFolders), "PATH", options),
    // Loaded by who needs them: most starts find one on PATH, and a restart waits for all that is loaded.
    async cache() {
      const { cachedNatsServers } = await import("./cache.ts")
      return await firstUsable(await cachedNatsServers(cache), "cache", options)
    },
    async release() {
      const { fetchRelease } = await import("./release.ts")
      return await fetchRelease({ cache, base, version: releases?.version, progress })
    },
    async package() {
      const { fetchPackage } = await import("./debian.ts")
      return await fetchPackage({ cache, environment, progress })
    },
  }
  const tried: string[] = []
  for (const [way, attempt] of Object.entries(ways)) {
    try {
      return await attempt()
    } catch (error) {
      tried.push(`${way}: ${reasonOf(error)}`)
      if (way === "release") progress(`no release could be had: ${reasonOf(error)}`)
    }
  }
  throw new BunhouseError("UNAVAILABLE", notFound(tried))
}

async function proveNamed(path: string, options: FindOptions): Promise<NatsServerBinary> {
  try {
    return await prove(path, "BUNHOUSE_NATS_SERVER", options)
  } catch (cause) {
    throw new BunhouseError("UNAVAILABLE", `BUNHOUSE_NATS_SERVER: ${reasonOf(cause)}`, { cause })
  }
}

async function firstUsable(
  paths: readonly string[],
  origin: "PATH" | "cache",
  options: FindOptions,
): Promise<NatsServerBinary> {
  const reasons: string[] = []
  for (const path of paths) {
    try {
      return await prove(path, origin, options)
    } catch (error) {
      reasons.push(reasonOf(error))
      options.progress(`passed over: ${reasonOf(error)}`)
    }
  }
  throw new BunhouseError("UNAVAILABLE", reasons.length === 0 ? "none there" : reasons.join("; "))
}

function prove(
  path: string,
  origin: NatsServerOrigin,
  { cache, trustsProof = true }: FindOptions,
): Promise<NatsServerBinary> {
  return proveOnce(path, origin, cache, trustsProof)
}

const SYSTEM_FOLDERS = ["/usr/sbin", "/usr/local/sbin"]

function onPath(environment: Environment, systemFolders: readonly string[]): string[] {
  const folders = [...(environment["PATH"] ?? "").split(":"), ...systemFolders]
  // A relative entry would let the folder one happens to stand in decide what runs.
  const found = folders
    .filter((folder) => isAbsolute(folder))
    .map((PATH) => Bun.which("nats-server", { PATH }))
  return [...new Set(found)].filter((path) => path !== null)
}

function text(environment: Environment, name: string): string | undefined {
  const value = environment[name]
  return value === "" ? undefined : value
}

function notFound(tried: readonly string[]): string {
  return [
    `no nats-server could be found or fetched (${tried.join(" | ")}).`,
    `Install nats-server ${OLDEST_NATS_SERVER} or newer (https://nats.io/download), or set BUNHOUSE_NATS_SERVER to the`,
    "path of one, BUNHOUSE_NATS_RELEASES to a mirror of its releases, or BUNHOUSE_NATS_URL to a running cluster.",
  ].join(" ")
}
