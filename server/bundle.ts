import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import type { BunPlugin } from "bun"
import { sourcePath } from "../protocol/root.ts"
import { bundleFolder, bundlesFolder, MODULES, PROGRAMS } from "./programs.ts"

/**
 * `bun server/bundle.ts <cache folder>`: makes the bundles of programs.ts and takes older ones away. A program of its own,
 * because a bundler leaves tens of megabytes behind in the process that ran it.
 */
async function main(cache: string): Promise<void> {
  const folder = bundleFolder(cache)
  if (existsSync(folder)) return
  const draft = join(bundlesFolder(cache), `draft-${process.pid}`)
  mkdirSync(dirname(draft), { recursive: true, mode: 0o700 })
  try {
    // One at a time: what is bundled together keeps in each bundle what any of them uses.
    for (const entry of [...PROGRAMS, ...MODULES]) await bundle(entry, draft, folder)
    renameSync(draft, folder)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    // Another start was quicker, or it starts from source once more; nothing is wrong with what runs.
    if (!existsSync(folder)) throw error
  }
  for (const old of readdirSync(bundlesFolder(cache))) {
    const path = join(bundlesFolder(cache), old)
    if (path !== folder && !old.startsWith("draft-")) rmSync(path, { recursive: true, force: true })
  }
}

/** Makes one bundle, into `draft`, which is to be renamed to `folder`. */
async function bundle(entry: string, draft: string, folder: string): Promise<void> {
  await Bun.build({
    entrypoints: [sourcePath(entry)],
    root: sourcePath(""),
    outdir: draft,
    target: "bun",
    format: "cjs",
    bytecode: true,
    // Names stay: they stand in stacks.
    minify: { whitespace: true, syntax: true, identifiers: false },
    plugins: [rooted(folder), modulesByPath(folder), packagesByPath],
  })
}

/** Writes into protocol/root.ts where the sources and the bundles are. */
function rooted(folder: string): BunPlugin {
  const answers = {
    SOURCES: Bun.pathToFileURL(sourcePath("")).href,
    BUNDLES: Bun.pathToFileURL(`${folder}/`).href,
  }
  return {
    name: "root",
    setup(build) {
      build.onLoad({ filter: /[\\/]protocol[\\/]root\.ts$/ }, async ({ path }) => {
        let contents = await Bun.file(path).text()
        for (const [name, answer] of Object.entries(answers)) {
          const line = new RegExp(`^const ${name}\\b.*$`, "m")
          if (!line.test(contents)) throw new Error(`expected protocol/root.ts to declare ${name}`)
          contents = contents.replace(line, () => `const ${name} = ${JSON.stringify(answer)}`)
        }
        return { contents, loader: "ts" }
      })
    },
  }
}

/** Imports of what is a bundle of its own stay imports, of that bundle. */
function modulesByPath(folder: string): BunPlugin {
  const modules = new Set<string>(MODULES)
  return {
    name: "modules",
    setup(build) {
      build.onResolve({ filter: /^\..*\.ts$/ }, ({ path, importer }) => {
        const module = relative(sourcePath(""), join(dirname(importer), path))
        if (!modules.has(module)) return undefined
        return { path: join(folder, module.replace(/\.ts$/, ".js")), external: true }
      })
    },
  }
}

/** Packages with native parts, and those that few need, stay where they are. */
const packagesByPath: BunPlugin = {
  name: "packages",
  setup(build) {
    build.onResolve({ filter: /^(oxc-parser|@typescript-eslint\/scope-manager)$/ }, ({ path }) => {
      return { path: Bun.resolveSync(path, sourcePath("client/code")), external: true }
    })
  },
}

const [, , cache] = process.argv
if (cache === undefined) throw new Error("expected the cache folder as an argument")
await main(cache)
