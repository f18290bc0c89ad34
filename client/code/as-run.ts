import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, isAbsolute, join } from "node:path"
import { resolve } from "./find-value.ts"
import { packageOf } from "./native.ts"
import { runFlags } from "./run-flags.ts"

/** What a bundler has to be told for it to find and read source as this run does. */
export function builtAsRun(): Pick<Bun.BuildConfig, "define" | "jsx" | "conditions" | "tsconfig"> {
  const { define, jsx, conditions, tsconfig } = runFlags()
  const { jsxFactory: factory, jsxFragmentFactory: fragment, jsxImportSource: importSource } = jsx
  return {
    conditions: [...conditions],
    ...(tsconfig !== undefined && { tsconfig }),
    // What the env says counts, not what is so here.
    define: { "process.env.NODE_ENV": "process.env.NODE_ENV", ...define },
    jsx: {
      // That of development is not there in production; this one is in both.
      development: false,
      ...(jsx.jsx !== undefined && { runtime: jsx.jsx === "react" ? "classic" : "automatic" }),
      ...(factory !== undefined && { factory }),
      ...(fragment !== undefined && { fragment }),
      ...(importSource !== undefined && { importSource }),
    },
  }
}

/**
 * The file that a name which is imported means to this program, where a bundler might take another: on its own it prefers what a
 * package has for development or for bundlers. Undefined where it is right, because what it has not found by itself it reads less
 * of, and without its tsconfig.
 */
export function resolvedAsRun(
  specifier: string,
  importer: string,
  isRequired: boolean,
): string | undefined {
  const path = isRequired ? required(specifier, importer) : resolve(specifier, importer)
  // What is built in has no path.
  return path !== undefined && isAbsolute(path) && mayDiffer(path, specifier) ? path : undefined
}

function required(specifier: string, importer: string): string | undefined {
  try {
    return createRequire(importer).resolve(specifier)
  } catch {
    return undefined
  }
}

function mayDiffer(path: string, specifier: string): boolean {
  const owner = packageOf(path)
  const { name, text, hasFields } = about(owner?.folder ?? packageAbove(dirname(path)))
  // A package of a workspace, and no path of a tsconfig.
  const isOwn = specifier.startsWith("#") || `${specifier}/`.startsWith(`${name}/`)
  return (owner !== undefined || isOwn) && (hasFields || /"development"\s*:/.test(text))
}

/** Packages of a workspace are not below a `node_modules`. */
function packageAbove(folder: string): string {
  const parent = dirname(folder)
  return existsSync(join(folder, "package.json")) || parent === folder
    ? folder
    : packageAbove(parent)
}

interface About {
  readonly name: string
  readonly text: string
  /** Bun runs `main` and bundles `module`. */
  readonly hasFields: boolean
}

function about(folder: string): About {
  const known = abouts.get(folder)
  if (known !== undefined) return known
  const read = readAbout(join(folder, "package.json"))
  abouts.set(folder, read)
  return read
}

const abouts = new Map<string, About>()

function readAbout(path: string): About {
  try {
    const text = readFileSync(path, "utf8")
    const fields: Readonly<Record<string, unknown>> = { ...JSON.parse(text) }
    return { name: String(fields["name"]), text, hasFields: "main" in fields && "module" in fields }
  } catch {
    return { name: "", text: "", hasFields: false }
  }
}
