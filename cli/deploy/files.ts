import { dirname, extname, resolve } from "node:path"
import { stampOf } from "../../client/code/summary.ts"

/**
 * The files of a program: an entry and what it imports of the program itself, packages aside, each with what tells whether
 * it has changed since. Found by their import statements alone, so that a file that is broken has files, too.
 */
export type Files = ReadonlyMap<string, string>

export async function filesOf(entry: string): Promise<Files> {
  const files = new Map<string, string>()
  const waiting = [entry]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (files.has(path) || files.size >= FILES_MAX) continue
    // First: what is saved while it is read has changed since.
    files.set(path, stampOf(path))
    for (const specifier of await importsOf(path)) {
      waiting.push(...filesFor(specifier, path))
    }
  }
  return files
}

export function isChanged(files: Files): boolean {
  for (const [path, stamp] of files) if (stampOf(path) !== stamp) return true
  return false
}

const FILES_MAX = 4_096
const LOADERS: ReadonlySet<string> = new Set([
  ".ts",
  ".tsx",
  ".mts",
  ".cts",
  ".js",
  ".jsx",
  ".mjs",
  ".cjs",
])

async function importsOf(path: string): Promise<readonly string[]> {
  if (!LOADERS.has(extname(path))) return []
  try {
    const loader = /\.[cm]?ts$/.test(path) ? "ts" : "tsx"
    const imports = new Bun.Transpiler({ loader }).scanImports(await Bun.file(path).text())
    return imports.map((one) => one.path)
  } catch {
    return [] // Not there, or a syntax error: saving it is what will change that.
  }
}

/** None for packages and built-in modules. A file that is not there counts: somebody is about to write it. */
function filesFor(specifier: string, from: string): readonly string[] {
  try {
    const path = Bun.resolveSync(specifier, dirname(from))
    return path.startsWith("/") && !path.includes("/node_modules/") ? [path] : []
  } catch {
    const path = resolve(dirname(from), specifier)
    return specifier.startsWith(".") ? [path, `${path}.ts`] : []
  }
}
