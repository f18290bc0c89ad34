import { describe, expect, test } from "bun:test"
import { copyFileSync } from "node:fs"
import { relative } from "node:path"
import { cachedNatsServers, natsPlatform } from "../../broker/cache.ts"
import { findNatsServer, type FindOptions } from "../../broker/find.ts"
import type { BunhouseError } from "../../protocol/errors.ts"
import { caught } from "../support/caught.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { natsServer } from "../support/nats-server.ts"
import { processesWith } from "../support/processes.ts"
import { writeScript } from "../support/script.ts"
import { until } from "../support/until.ts"

/** Nothing outside of the folder is found, and nothing can be fetched, unless a test says so. */
function search(folder: TemporaryFolder, options: Partial<FindOptions> = {}): FindOptions {
  return {
    environment: { PATH: folder.path },
    cache: folder.join("cache"),
    systemFolders: [],
    releases: { base: "http://127.0.0.1:1" },
    progress: () => {},
    ...options,
  }
}

function fakeServer(path: string, version: string): string {
  return writeScript(path, `echo "nats-server: v${version}"`)
}

function failureOf(options: FindOptions): Promise<BunhouseError> {
  return caught(findNatsServer(options))
}

describe("BUNHOUSE_NATS_SERVER", () => {
  test("wins over PATH", async () => {
    using folder = temporaryFolder()
    const named = fakeServer(folder.join("named"), "2.11.1")
    fakeServer(folder.join("nats-server"), "2.12.0")
    const environment = { PATH: folder.path, BUNHOUSE_NATS_SERVER: named }
    expect(await findNatsServer(search(folder, { environment }))).toEqual({
      path: named,
      version: "2.11.1",
      origin: "BUNHOUSE_NATS_SERVER",
    })
  })

  const cases: [what: string, script: string[] | undefined, reason: RegExp][] = [
    ["does not exist", undefined, /ENOENT/],
    [
      "is too old",
      ['echo "nats-server: v2.8.4"'],
      /version 2\.8\.4, and 2\.9\.0 or newer is needed/,
    ],
    ["is another program", ['echo "hello 3.0.0"'], /does not say that it is nats-server/],
    ["fails", ["echo 'no such library' >&2", "exit 127"], /exit code 127; no such library/],
    ["does not end", ['[ "$1" = child ] || "$0" child', "sleep 60"], /no end within \d+ ms/],
  ]
  for (const [what, script, reason] of cases) {
    test(`is refused by name when it ${what}, and PATH is not used instead`, async () => {
      using folder = temporaryFolder()
      fakeServer(folder.join("nats-server"), "2.12.0")
      const named = folder.join("named")
      if (script !== undefined) writeScript(named, ...script)
      const environment = { PATH: folder.path, BUNHOUSE_NATS_SERVER: named }
      const error = await failureOf(search(folder, { environment }))
      expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
      expect(error.message).toStartWith("BUNHOUSE_NATS_SERVER: ")
      expect(error.message).toContain(named)
      expect(error.message).toMatch(reason)
      await until(() => processesWith(folder.path).length === 0, "its processes to be gone")
    }, 10_000)
  }

  test("is refused when it is no program at all", async () => {
    using folder = temporaryFolder()
    const asFolder = await failureOf(
      search(folder, { environment: { BUNHOUSE_NATS_SERVER: folder.path } }),
    )
    expect(asFolder.message).toContain("it is not a file")
    await Bun.write(folder.join("plain"), "nats-server: v2.12.0")
    const plain = await failureOf(
      search(folder, { environment: { BUNHOUSE_NATS_SERVER: folder.join("plain") } }),
    )
    expect(plain.message).toContain("EACCES")
  })

  test("counts as unset when it is empty", async () => {
    using folder = temporaryFolder()
    fakeServer(folder.join("nats-server"), "2.12.0")
    const environment = { PATH: folder.path, BUNHOUSE_NATS_SERVER: "" }
    expect((await findNatsServer(search(folder, { environment }))).origin).toBe("PATH")
  })
})

describe("findNatsServer()", () => {
  test("takes PATH before the system's folders and the cache", async () => {
    using folder = temporaryFolder()
    const path = fakeServer(folder.join("bin", "nats-server"), "2.10.0")
    fakeServer(folder.join("sbin", "nats-server"), "2.11.0")
    const found = await findNatsServer(
      search(folder, {
        environment: { PATH: `${folder.join("nowhere")}:${folder.join("bin")}` },
        systemFolders: [folder.join("sbin")],
      }),
    )
    expect(found).toEqual({ path, version: "2.10.0", origin: "PATH" })
  })

  test("looks into the system's folders, which PATH need not name", async () => {
    using folder = temporaryFolder()
    const path = fakeServer(folder.join("sbin", "nats-server"), "2.9.10")
    const found = await findNatsServer(
      search(folder, { environment: {}, systemFolders: [folder.join("sbin")] }),
    )
    expect(found).toEqual({ path, version: "2.9.10", origin: "PATH" })
  })

  test("passes over what cannot be used, and says so", async () => {
    using folder = temporaryFolder()
    fakeServer(folder.join("a", "nats-server"), "2.1.0")
    writeScript(folder.join("b", "nats-server"), "exit 1")
    const path = fakeServer(folder.join("c", "nats-server"), "2.9.0")
    const lines: string[] = []
    const PATH = ["a", "b", "c"].map((name) => folder.join(name)).join(":")
    const found = await findNatsServer(
      search(folder, { environment: { PATH }, progress: (line) => void lines.push(line) }),
    )
    expect(found.path).toBe(path)
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain("it is version 2.1.0")
    expect(lines[1]).toContain("exit code 1")
  })

  test("ignores relative entries of PATH", async () => {
    using folder = temporaryFolder()
    fakeServer(folder.join("bin", "nats-server"), "2.12.0")
    fakeServer(cached(folder, "2.10.0"), "2.10.0")
    const environment = { PATH: relative(process.cwd(), folder.join("bin")) }
    expect((await findNatsServer(search(folder, { environment }))).origin).toBe("cache")
    // Control: the same folder by its absolute path.
    const absolute = { PATH: folder.join("bin") }
    expect((await findNatsServer(search(folder, { environment: absolute }))).origin).toBe("PATH")
  })

  test("takes the newest usable program of the cache", async () => {
    using folder = temporaryFolder()
    fakeServer(cached(folder, "2.9.10"), "2.9.10")
    fakeServer(cached(folder, "2.10.2"), "2.10.2")
    writeScript(cached(folder, "2.14.5"), "exit 1")
    await Bun.write(folder.join("cache", "nats-server-v9.9.9-plan9-amd64"), "of another machine")
    const found = await findNatsServer(search(folder))
    expect(found).toEqual({ path: cached(folder, "2.10.2"), version: "2.10.2", origin: "cache" })
    expect(await cachedNatsServers(folder.join("cache"))).toHaveLength(3)
  })

  test("says all that was tried and what to do when nothing can be found or fetched", async () => {
    using folder = temporaryFolder()
    writeScript(folder.join("apt-get"), "echo 'E: no network' >&2", "exit 100")
    writeScript(folder.join("dpkg-deb"), "exit 1")
    const error = await failureOf(search(folder))
    expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    for (const part of ["PATH: none there", "cache: none there", "release: http://127.0.0.1:1/"]) {
      expect(error.message).toContain(part)
    }
    expect(error.message).toContain("package: `apt-get download nats-server`: exit code 100")
    expect(error.message).toContain("E: no network")
    expect(error.message).toContain("BUNHOUSE_NATS_SERVER")
  })

  test("takes a real nats-server", async () => {
    using folder = temporaryFolder()
    const real = await natsServer()
    copyFileSync(real.path, folder.join("nats-server"))
    const found = await findNatsServer(search(folder))
    expect(found).toMatchObject({ version: real.version, origin: "PATH" })
  })
})

function cached(folder: TemporaryFolder, version: string): string {
  return folder.join("cache", `nats-server-v${version}-${natsPlatform() ?? "unknown"}`)
}
