import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { paths } from "../../protocol/http.ts"

/** docs/protocol.md names every route of the daemon, and no other. */
const root = join(import.meta.dir, "../..")
const document = await Bun.file(join(root, "docs/protocol.md")).text()
const files = ["app.ts", "instances.ts", "objects.ts", "jobs.ts"].map((name) =>
  join(root, "server/http", name),
)
const app = (await Promise.all(files.map((path) => Bun.file(path).text()))).join("\n")

const documented = [...document.matchAll(/^\| ([A-Z]+) `(\/[^`?]*)(?:\?[^`]*)?`/gm)]
  .map(([, method = "", path = ""]) => `${method} ${path}`)
  .toSorted()

/** Where the code says the path of a route by a name. */
const named = new Map<string, string>(
  Object.entries(paths).flatMap(([name, path]) =>
    typeof path === "string" ? [[`paths.${name}`, path]] : [],
  ),
)
for (const [, name = "", path = ""] of app.matchAll(/const (\w+Path) = "([^"]+)"/g)) {
  named.set(name, path)
}

/** The routes in the text of the code, such as `GET /v1/envs/<env>`. */
function routesIn(text: string): string[] {
  const calls = text.matchAll(/\.(get|put|post|delete|patch|all|ws)\(\s*([^,\s]+),/g)
  return [...calls]
    .map(([, method = "", path = ""]) => {
      const shown = pathOf(path)
        .replace(":function", "<fn>")
        .replace(":stream", "<stream>")
        .replaceAll(/:(\w+)/g, "<$1>")
      return `${method === "ws" ? "GET" : method.toUpperCase()} ${shown}`
    })
    .toSorted()
}

function pathOf(expression: string): string {
  const filled = expression.replace(/\$\{(\w+)\}/, (_, name: string) => named.get(name) ?? "?")
  return named.get(expression) ?? filled.replaceAll(/^["`]|["`]$/g, "")
}

describe("docs/protocol.md", () => {
  test("has exactly the routes of server/http", () => {
    expect(documented).toEqual(routesIn(app))
    expect(documented.length).toBeGreaterThan(10)
  })

  test("would be compared with a route of any form", () => {
    const text =
      'app.get("/a", f)\n.delete(functionPath, f).ws(paths.connect, {})\n.post(\n  `${envPath}/x`, f)'
    expect(routesIn(text)).toEqual([
      "DELETE /v1/envs/<env>/functions/<fn>",
      "GET /a",
      "GET /v1/connect",
      "POST /v1/envs/<env>/x",
    ])
  })
})
