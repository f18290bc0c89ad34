import { describe, expect, test } from "bun:test"
import { readdirSync, statSync } from "node:fs"
import { natsPlatform } from "../../broker/cache.ts"
import { findNatsServer } from "../../broker/find.ts"
import { fetchRelease, NATS_RELEASE_VERSION } from "../../broker/release.ts"
import { ARCHIVE_BYTES_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"

const VERSION = "2.99.1"
const NAME = `nats-server-v${VERSION}-${natsPlatform() ?? "unknown"}`
const PROGRAM = `#!/bin/sh\necho "nats-server: v${VERSION}"\n`

/** Official layout: `/v<version>/SHA256SUMS` and the archives beside it. */
type Files = Record<string, string | Uint8Array<ArrayBuffer> | (() => Response)>

interface Releases {
  readonly base: string
  readonly requests: string[]
  readonly stop: () => void
}

/** Stands in for GitHub. Keeps the paths that were asked for. */
function serveReleases(files: Files): Releases {
  const requests: string[] = []
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request): Response {
      const { pathname } = new URL(request.url)
      requests.push(pathname)
      const file = files[pathname]
      if (typeof file === "function") return file()
      return new Response(file ?? "Not Found", { status: file === undefined ? 404 : 200 })
    },
  })
  return {
    base: `http://127.0.0.1:${server.port}`,
    requests,
    stop: () => void server.stop(true),
  }
}

async function archiveOf(
  program: string,
  path = `${NAME}/nats-server`,
): Promise<Uint8Array<ArrayBuffer>> {
  const files = { [`${NAME}/README.md`]: "read me", [path]: program }
  return await new Bun.Archive(files, { compress: "gzip" }).bytes()
}

function sums(archive: Uint8Array, name = `${NAME}.tar.gz`): string {
  const hash = new Bun.CryptoHasher("sha256").update(archive).digest("hex")
  return `${"0".repeat(64)}  nats-server-v${VERSION}-plan9-amd64.tar.gz\n${hash}  ${name}\n`
}

function good(archive: Uint8Array<ArrayBuffer>): Files {
  return {
    [`/v${VERSION}/SHA256SUMS`]: sums(archive),
    [`/v${VERSION}/${NAME}.tar.gz`]: archive,
  }
}

async function refusal(folder: TemporaryFolder, files: Files): Promise<string> {
  const releases = serveReleases(files)
  const cache = folder.join("cache")
  const { base } = releases
  const error = await caught(fetchRelease({ cache, base, version: VERSION, progress: () => {} }))
  releases.stop()
  expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
  return error.message
}

/** What a refused fetch may leave: at most an empty cache folder. */
function expectNothingIn(folder: TemporaryFolder): void {
  expect(readdirSync(folder.path).flatMap((name) => readdirSync(folder.join(name)))).toEqual([])
}

describe("fetchRelease()", () => {
  test("installs a program whose checksum is the published one, and says what it fetches", async () => {
    using folder = temporaryFolder()
    const releases = serveReleases(good(await archiveOf(PROGRAM)))
    const lines: string[] = []
    const fetched = await fetchRelease({
      cache: folder.join("cache"),
      base: `${releases.base}/`,
      version: VERSION,
      progress: (line) => void lines.push(line),
    })
    releases.stop()
    expect(fetched).toEqual({
      path: folder.join("cache", NAME),
      version: VERSION,
      origin: "release",
    })
    expect(statSync(fetched.path).mode & 0o777).toBe(0o755)
    expect(readdirSync(folder.join("cache"))).toEqual([NAME])
    expect(lines[0]).toBe(`fetching ${releases.base}/v${VERSION}/${NAME}.tar.gz`)
    expect(lines.at(-1)).toMatch(/^100 % of \d+\.\d MB$/)
  })

  test("is what findNatsServer() does when nothing is found; afterwards the cache has it", async () => {
    using folder = temporaryFolder()
    const releases = serveReleases(good(await archiveOf(PROGRAM)))
    const options = {
      environment: { BUNHOUSE_NATS_RELEASES: releases.base },
      releases: { version: VERSION },
      systemFolders: [],
      cache: folder.join("cache"),
      progress: () => {},
    }
    expect((await findNatsServer(options)).origin).toBe("release")
    expect((await findNatsServer(options)).origin).toBe("cache")
    releases.stop()
    expect(releases.requests).toHaveLength(2)
  })

  test("asks for the version that is pinned, unless told otherwise", async () => {
    using folder = temporaryFolder()
    const releases = serveReleases({})
    const fetched = fetchRelease({ cache: folder.path, base: releases.base, progress: () => {} })
    expect((await caught(fetched)).message).toContain("404")
    releases.stop()
    expect(releases.requests).toEqual([`/v${NATS_RELEASE_VERSION}/SHA256SUMS`])
  })

  test("refuses an archive with another checksum before anything of it is unpacked or run", async () => {
    using folder = temporaryFolder()
    const marker = folder.join("was-run")
    const evil = await archiveOf(`#!/bin/sh\ntouch ${marker}\necho "nats-server: v${VERSION}"\n`)
    const files = good(await archiveOf(PROGRAM))
    files[`/v${VERSION}/${NAME}.tar.gz`] = evil
    expect(await refusal(folder, files)).toMatch(
      /expected the SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}/,
    )
    expect(await Bun.file(marker).exists()).toBe(false)
    expectNothingIn(folder)
    // Control: the same archive with its own checksum is run.
    const control = serveReleases(good(evil))
    await fetchRelease({
      cache: folder.join("cache"),
      base: control.base,
      version: VERSION,
      progress: () => {},
    })
    control.stop()
    expect(await Bun.file(marker).exists()).toBe(true)
  })

  test("refuses when no checksums are published", async () => {
    using folder = temporaryFolder()
    const files = good(await archiveOf(PROGRAM))
    delete files[`/v${VERSION}/SHA256SUMS`]
    expect(await refusal(folder, files)).toMatch(/SHA256SUMS cannot be fetched: HTTP status 404/)
    expectNothingIn(folder)
  })

  test("refuses when the checksum of this very file is not among them", async () => {
    using folder = temporaryFolder()
    const archive = await archiveOf(PROGRAM)
    const files = good(archive)
    files[`/v${VERSION}/SHA256SUMS`] = sums(archive, "nats-server-other.tar.gz")
    expect(await refusal(folder, files)).toContain(`holds no checksum of ${NAME}.tar.gz`)
  })

  test("refuses an archive that is not there", async () => {
    using folder = temporaryFolder()
    const files = good(await archiveOf(PROGRAM))
    delete files[`/v${VERSION}/${NAME}.tar.gz`]
    expect(await refusal(folder, files)).toContain("HTTP status 404")
  })

  test("refuses an archive that is cut short, by its length or by its checksum", async () => {
    using folder = temporaryFolder()
    const archive = await archiveOf(PROGRAM)
    const files = good(archive)
    files[`/v${VERSION}/${NAME}.tar.gz`] = archive.slice(0, -20)
    expect(await refusal(folder, files)).toContain("expected the SHA-256")
    expectNothingIn(folder)
    const { base, stop } = serveCutOff(archive)
    const cache = folder.join("cache")
    const fetched = fetchRelease({ cache, base, version: VERSION, progress: () => {} })
    expect((await caught(fetched)).message).toContain(`${NAME}.tar.gz cannot be fetched`)
    stop()
    expectNothingIn(folder)
  })

  test("refuses more bytes than the limit, announced or not", async () => {
    using folder = temporaryFolder()
    const files = good(await archiveOf(PROGRAM))
    const url = `/v${VERSION}/${NAME}.tar.gz`
    const sent = { bytes: 0 }
    files[url] = () => new Response(endless(sent))
    expect(await refusal(folder, files)).toContain(`more than the limit of ${ARCHIVE_BYTES_MAX}`)
    expect(sent.bytes).toBeLessThan(3 * ARCHIVE_BYTES_MAX)
    files[url] = () => new Response(new Uint8Array(ARCHIVE_BYTES_MAX + 1))
    expect(await refusal(folder, files)).toContain(`${ARCHIVE_BYTES_MAX + 1} bytes are over`)
    expectNothingIn(folder)
  })

  test("refuses an archive without the program, and a program that does not run", async () => {
    using folder = temporaryFolder()
    const elsewhere = await archiveOf(PROGRAM, "elsewhere/nats-server")
    expect(await refusal(folder, good(elsewhere))).toContain(`does not hold ${NAME}/nats-server`)
    const broken = await archiveOf("#!/bin/sh\nexit 1\n")
    expect(await refusal(folder, good(broken))).toContain("exit code 1")
    const noArchive = new TextEncoder().encode("not an archive at all")
    expect(await refusal(folder, good(noArchive))).toContain(".tar.gz")
    expectNothingIn(folder)
  })

  test("gives up on a server that does not answer", async () => {
    using folder = temporaryFolder()
    using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
    const fetched = fetchRelease({
      cache: folder.path,
      base: `http://127.0.0.1:${silent.port}`,
      progress: () => {},
    })
    expect((await caught(fetched)).message).toMatch(/no answer within 5000 ms/)
  }, 10_000)

  test("refuses plain http to another machine, also by redirect", async () => {
    using folder = temporaryFolder()
    const cache = folder.path
    const plain = fetchRelease({ cache, base: "http://mirror.example", progress: () => {} })
    expect((await caught(plain)).message).toContain("expected an https address")
    const target = serveReleases(good(await archiveOf(PROGRAM)))
    const port = new URL(target.base).port
    // The same server under an address that is not loopback's.
    const location = `http://0.0.0.0:${port}/v${VERSION}/SHA256SUMS`
    const files = { [`/v${VERSION}/SHA256SUMS`]: () => Response.redirect(location) }
    expect(await refusal(folder, files)).toContain("expected an https address")
    target.stop()
  })

  test("may run many times at once into one cache", async () => {
    using folder = temporaryFolder()
    const releases = serveReleases(good(await archiveOf(PROGRAM)))
    const options = {
      cache: folder.join("cache"),
      base: releases.base,
      version: VERSION,
      progress: () => {},
    }
    const fetched = await Promise.all(Array.from({ length: 8 }, () => fetchRelease(options)))
    releases.stop()
    expect(new Set(fetched.map(({ path }) => path))).toEqual(new Set([folder.join("cache", NAME)]))
    expect(readdirSync(folder.join("cache"))).toEqual([NAME])
  })
})

function endless(sent: { bytes: number }): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(1 << 20)
  return new ReadableStream({
    pull(controller) {
      sent.bytes += chunk.length
      controller.enqueue(chunk)
    },
  })
}

/** An HTTP server that announces all of the archive, sends a part, and closes. */
function serveCutOff(archive: Uint8Array): Omit<Releases, "requests"> {
  const answers = {
    sums: `HTTP/1.1 200 OK\r\ncontent-length: ${sums(archive).length}\r\n\r\n${sums(archive)}`,
    archive: `HTTP/1.1 200 OK\r\ncontent-length: ${archive.length}\r\n\r\nnot all of it`,
  }
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, request) {
        socket.end(request.includes("SHA256SUMS") ? answers.sums : answers.archive)
      },
    },
  })
  return { base: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) }
}
