import { describe, expect, test } from "bun:test"
import { existsSync, readdirSync } from "node:fs"
import { natsPlatform } from "../../broker/cache.ts"
import { findNatsServer, type FindOptions } from "../../broker/find.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { writeScript } from "../support/script.ts"

const isDebian = Bun.which("apt-get") !== null && Bun.which("dpkg-deb") !== null
const FETCH_MS = 240_000

/** Releases are out of reach and nothing is installed, so that the package is what remains. */
function search(folder: TemporaryFolder, lines: string[]): FindOptions {
  return {
    environment: { ...process.env, PATH: `${folder.path}:/usr/bin:/bin` },
    systemFolders: [],
    cache: folder.join("cache"),
    releases: { base: "http://127.0.0.1:1" },
    progress: (line) => void lines.push(line),
  }
}

describe.if(isDebian)("the distribution's package", () => {
  test(
    "is fetched into an empty cache, unpacked and proved; the system stays as it was",
    async () => {
      using folder = temporaryFolder()
      const wasInstalled = existsSync("/usr/sbin/nats-server")
      const lines: string[] = []
      const found = await findNatsServer(search(folder, lines))
      expect(found).toEqual({
        path: folder.join("cache", `nats-server-v${found.version}-${natsPlatform() ?? ""}`),
        version: found.version,
        origin: "package",
      })
      expect(Bun.semver.order(found.version, "2.9.0")).toBeGreaterThanOrEqual(0)
      expect(readdirSync(folder.join("cache"))).toHaveLength(1)
      expect(lines.join("\n")).toMatch(/no release could be had: .*\n.*\nGet:1 \S+ .*nats-server/)
      expect(existsSync("/usr/sbin/nats-server")).toBe(wasInstalled)
      expect((await findNatsServer(search(folder, lines))).origin).toBe("cache")
    },
    FETCH_MS,
  )

  test(
    "is found through lists of our own where the system has none",
    async () => {
      using folder = temporaryFolder()
      // An apt that sees no lists, unless later options point it to others: a fresh container, say.
      writeScript(
        folder.join("apt-get"),
        `exec /usr/bin/apt-get -o Dir::State::lists=${folder.join("none")} "$@"`,
      )
      const lines: string[] = []
      const found = await findNatsServer(search(folder, lines))
      expect(found.origin).toBe("package")
      // Why not: apt says it differently where the package is installed.
      expect(lines.join("\n")).toContain("the system's package lists do not lead to it")
      expect(readdirSync(folder.join("cache"))).toHaveLength(1)
    },
    FETCH_MS,
  )
})
