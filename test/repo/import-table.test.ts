import { describe, expect, test } from "bun:test"
import { dirname, join, normalize } from "node:path"

/**
 * Who may import whom. The table is that of ARCHITECTURE.md; a new arrow is a decision to be written there first.
 */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  broker: ["protocol"],
  server: ["protocol", "broker"],
  envs: ["protocol", "broker", "client"],
  client: ["protocol"],
  cli: ["protocol", "client", "server/entry.ts"],
}

interface Import {
  readonly file: string
  readonly room: string
  readonly path: string
}

const root = join(import.meta.dir, "../..")
const imports = await readImports(Object.keys(ALLOWED))

describe("the import table", () => {
  test("is kept by every file", () => {
    const broken = imports.filter((found) => !isAllowed(found)).map(show)
    expect(broken).toEqual([])
  })

  test("would notice a forbidden import", () => {
    const forbidden = { file: "server/main.ts", room: "server", path: "../envs/host.ts" }
    expect(isAllowed(forbidden)).toBe(false)
  })

  test("sees imports at all", () => {
    expect(imports.length).toBeGreaterThan(200)
  })
})

describe("a third-party package", () => {
  test("is imported by one folder only, types aside", () => {
    const rooms = new Map<string, Set<string>>()
    for (const { path, room } of imports.filter(isThirdParty)) {
      const name = packageName(path)
      rooms.set(name, (rooms.get(name) ?? new Set()).add(room))
    }
    const shared = [...rooms].filter(([, users]) => users.size > 1).map(([name]) => name)
    expect(shared).toEqual([])
  })
})

function isAllowed({ file, room, path }: Import): boolean {
  if (!path.startsWith(".")) return true
  const target = normalize(join(dirname(file), path))
  const [targetRoom = ""] = target.split("/")
  if (targetRoom === room || target === "package.json") return true
  return (ALLOWED[room] ?? []).some((allowed) => target === allowed || targetRoom === allowed)
}

function isThirdParty({ path }: Import): boolean {
  return !path.startsWith(".") && !/^(node|bun)(:|$)/.test(path)
}

function packageName(path: string): string {
  return path
    .split("/")
    .slice(0, path.startsWith("@") ? 2 : 1)
    .join("/")
}

function show({ file, path }: Import): string {
  return `${file} imports ${path}`
}

async function readImports(rooms: readonly string[]): Promise<Import[]> {
  const found: Import[] = []
  const statement =
    /(?:^|\n)\s*(?:import|export)\b[^"';]*?\bfrom\s*"([^"]+)"|\bimport\s*\(\s*"([^"]+)"/g
  for (const room of rooms) {
    for await (const file of new Bun.Glob(`${room}/**/*.{ts,js}`).scan(root)) {
      const text = await Bun.file(join(root, file)).text()
      for (const match of text.matchAll(statement)) {
        found.push({ file, room, path: match[1] ?? match[2] ?? "" })
      }
    }
  }
  return found
}
