import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { extname } from "node:path"
import { type Located, locatedAt } from "./locate.ts"
import { matching } from "./match.ts"
import { type Outside, isTranspilerName, outsideOf } from "./outside.ts"
import { type SendableNode, isClassNode, isFunction, walk } from "./parse.ts"
import { scopesOf } from "./scope.ts"
import { DIALECTS, type SourceFile, readSourceFile } from "./source-file.ts"
import type { ValueText } from "./text.ts"

/**
 * Finds a function that the place of the call does not tell, because it came there in a variable: by its text, in all
 * files that are loaded. It has to be the only one (F1 of locate.ts), or one of several in a file that use the same things.
 *
 * What uses nothing from outside needs no file, and is not looked for.
 */
export async function search(
  value: ValueText,
  first: string | undefined,
): Promise<Located | undefined> {
  const uses = outsideOf(value.node, await scopesOf(value))
  if (uses.length === 0) return undefined
  const names = namesIn(value, uses)
  // Packages only where the program has none: they are many, and often there in several versions.
  for (const files of loadedFiles(first)) {
    const found: Located[] = []
    for (const path of files) {
      found.push(...(await findIn(path, names, value)))
      if (new Set(found.map(meaningOf)).size > 1) return undefined
    }
    if (found[0] !== undefined) return found[0]
  }
  return undefined
}

/** The same for functions of one text where it makes no difference which of them is sent. */
function meaningOf({ node, source, file }: Located): string {
  const uses = outsideOf(node, source.scopes)
  return JSON.stringify([file, ...uses.map(({ declaration }) => declaration?.start)])
}

/** What Bun leaves as it stands in the file: what is used from outside, and the own name. */
function namesIn(value: ValueText, uses: readonly Outside[]): ReadonlySet<string> {
  // Bun may write "node:fs" for "fs".
  const names = new Set(uses.filter(isWritten).map(({ name }) => name.replace(/^node:/, "")))
  const own = value.node.id?.name
  // Bun makes one that ends so for a default export without a name.
  if (own !== undefined && !own.endsWith("_default")) names.add(own)
  return names
}

/** Not what Bun adds for JSX and decorators: its helpers, `this`, and variables like `_dec$3`. */
function isWritten({ kind, name }: Outside): boolean {
  return kind !== "this" && !isTranspilerName(name) && !/^_\w+\$\d+$/.test(name)
}

/**
 * Files of the program, and files of packages. The registry of modules lacks those that are still being loaded: the one of
 * the call, and often the entry.
 */
function loadedFiles(first: string | undefined): readonly ReadonlySet<string>[] {
  const { cache } = createRequire(import.meta.url)
  const loaded = Object.keys(cache).map((key) => key.replace(/\?.*$/, ""))
  const isMapped = first !== Bun.main && !loaded.includes(first ?? "") && hasSourceMap(Bun.main)
  const files = [...(first === undefined || isMapped ? [] : [first]), Bun.main, ...loaded]
  const all = files.filter((path) => DIALECTS.has(extname(path)))
  const { own = [], packages = [] } = Object.groupBy(all, (path) =>
    path.includes("/node_modules/") ? "packages" : "own",
  )
  return [new Set(own.slice(0, FILES_MAX)), new Set(packages.slice(0, FILES_MAX))]
}

const FILES_MAX = 4_096

/** Calls in a bundle that has one seem to stand in the files that it was made of, which hold each function once more. */
function hasSourceMap(path: string): boolean {
  try {
    return (
      existsSync(`${path}.map`) || readFileSync(path, "utf8").includes("\n//# sourceMappingURL=")
    )
  } catch {
    return false
  }
}

async function findIn(
  path: string,
  names: ReadonlySet<string>,
  value: ValueText,
): Promise<readonly Located[]> {
  try {
    const text = await Bun.file(path).text()
    for (const name of names) if (!text.includes(name)) return []
    const source = await readSourceFile(path)
    if (source === undefined) return []
    const nodes = matching(source, candidatesIn(source), value)
    return nodes.map((node) => locatedAt(node, source))
  } catch {
    // A file that cannot be read or parsed, or not any more.
    return []
  }
}

/** Accessors and constructors are no values by themselves. */
function candidatesIn({ program }: SourceFile): readonly SendableNode[] {
  const candidates: SendableNode[] = []
  walk(program, (node) => {
    if (isFunction(node) || isClassNode(node)) candidates.push(node)
    const isMember = node.type === "Property" || node.type === "MethodDefinition"
    return !isMember || node.kind === "init" || node.kind === "method"
  })
  return candidates
}
