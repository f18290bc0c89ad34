import { BunhouseError } from "../protocol/errors.ts"
import { ARCHIVE_BYTES_MAX } from "../protocol/limits.ts"
import type { NatsServerBinary } from "./binary.ts"
import { installNatsServer, makeScratch, natsPlatform } from "./cache.ts"
import { download } from "./download.ts"
import { reasonOf } from "./reason.ts"

/**
 * Fetches an official release of nats-server into the cache.
 *
 * Invariants:
 * R1. Nothing of an archive is unpacked or run before its SHA-256 was found to be the published one.
 */
export interface ReleaseOptions {
  readonly cache: string
  /** Folder of releases with the layout of GitHub's: `<base>/v<version>/<file>`. Default: GitHub. */
  readonly base?: string | undefined
  /** Default: the newest stable version when this was written. */
  readonly version?: string | undefined
  readonly progress: (line: string) => void
}

const NATS_RELEASES = "https://github.com/nats-io/nats-server/releases/download"
export const NATS_RELEASE_VERSION = "2.15.1"

/** Throws UNAVAILABLE with the reason. */
export async function fetchRelease(options: ReleaseOptions): Promise<NatsServerBinary> {
  const { cache, progress, version = NATS_RELEASE_VERSION } = options
  const base = (options.base ?? NATS_RELEASES).replace(/\/+$/, "")
  const platform = natsPlatform()
  if (platform === undefined) {
    throw unavailable(`there is no release for ${process.platform} on ${process.arch}`)
  }
  const name = `nats-server-v${version}-${platform}`
  const url = `${base}/v${version}/${name}.tar.gz`
  const expected = await publishedChecksum(`${base}/v${version}/SHA256SUMS`, `${name}.tar.gz`)
  progress(`fetching ${url}`)
  const archive = await download(url, { bytesMax: ARCHIVE_BYTES_MAX, progress })
  checkArchive(url, archive, expected)
  const program = await unpack(url, archive, `${name}/nats-server`)
  await using scratch = await makeScratch(cache)
  return await installNatsServer(cache, scratch.path, program, "release")
}

const SUMS_BYTES_MAX = 64 * 1024

async function publishedChecksum(url: string, file: string): Promise<string> {
  const bytes = await download(url, { bytesMax: SUMS_BYTES_MAX, progress: () => {} })
  for (const line of new TextDecoder().decode(bytes).split("\n")) {
    // "<hash>  <file>", with a star before the file where it was read as binary.
    const [hash, name] = line.trim().split(/\s+\*?/)
    if (name === file && hash !== undefined && /^[0-9a-f]{64}$/i.test(hash))
      return hash.toLowerCase()
  }
  throw unavailable(`${url} holds no checksum of ${file}`)
}

function checkArchive(url: string, archive: Uint8Array, expected: string): void {
  const actual = new Bun.CryptoHasher("sha256").update(archive).digest("hex")
  if (actual === expected) return
  throw unavailable(
    `${url} is not what was published: expected the SHA-256 ${expected}, got ${actual}`,
  )
}

async function unpack(url: string, archive: Uint8Array, path: string): Promise<Uint8Array> {
  try {
    const file = (await new Bun.Archive(archive).files()).get(path)
    if (file !== undefined) return await file.bytes()
  } catch (error) {
    throw unavailable(`${url} cannot be unpacked: ${reasonOf(error)}`)
  }
  throw unavailable(`${url} does not hold ${path}`)
}

function unavailable(message: string): BunhouseError {
  return new BunhouseError("UNAVAILABLE", message)
}
