import { temporaryFolder } from "./folder.ts"

/**
 * A registry of packages on loopback, for installations that a test controls: `packages` gives the text of `index.js` by
 * name and version.
 */
export interface Registry extends AsyncDisposable {
  readonly url: string
  /** Paths that were asked for, in order. */
  readonly asked: string[]
  /** Authorization headers that came along. */
  readonly tokens: Set<string>
  /** Awaited before each answer. */
  hold: () => Promise<void>
}

export async function startRegistry(
  packages: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<Registry> {
  const tarballs = new Map<string, Uint8Array>()
  for (const [name, versions] of Object.entries(packages)) {
    for (const [version, code] of Object.entries(versions)) {
      tarballs.set(`/${name}/-/${name}-${version}.tgz`, await pack(name, version, code))
    }
  }
  const asked: string[] = []
  const tokens = new Set<string>()
  const registry = { asked, tokens, hold: () => Promise.resolve() }
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, origin } = new URL(request.url)
      asked.push(pathname)
      tokens.add(request.headers.get("authorization") ?? "")
      await registry.hold()
      const tarball = tarballs.get(pathname)
      if (tarball !== undefined) return new Response(tarball)
      const name = pathname.slice(1)
      const versions = packages[name]
      return versions === undefined
        ? Response.json({ error: "not found" }, { status: 404 })
        : Response.json(manifest(origin, name, Object.keys(versions), tarballs))
    },
  })
  return Object.assign(registry, {
    url: `http://127.0.0.1:${server.port}/`,
    [Symbol.asyncDispose]: () => server.stop(true),
  })
}

function manifest(
  origin: string,
  name: string,
  versions: readonly string[],
  tarballs: ReadonlyMap<string, Uint8Array>,
): object {
  return {
    name,
    "dist-tags": { latest: versions.at(-1) },
    versions: Object.fromEntries(
      versions.map((version) => {
        const path = `/${name}/-/${name}-${version}.tgz`
        const hash = new Bun.CryptoHasher("sha512").update(tarballs.get(path) ?? "")
        const integrity = `sha512-${hash.digest("base64")}`
        return [version, { name, version, dist: { tarball: `${origin}${path}`, integrity } }]
      }),
    ),
  }
}

async function pack(name: string, version: string, code: string): Promise<Uint8Array> {
  using folder = temporaryFolder()
  const about = { name, version, main: "index.js", scripts: { postinstall: "touch was-run" } }
  await Bun.write(folder.join("package", "package.json"), JSON.stringify(about))
  await Bun.write(folder.join("package", "index.js"), code)
  const tar = Bun.spawn(["tar", "-czf", "-", "package"], { cwd: folder.path, stdout: "pipe" })
  return await tar.stdout.bytes()
}
