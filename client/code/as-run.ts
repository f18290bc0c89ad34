import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, isAbsolute, join } from "node:path"
import { resolve } from "./find-value.ts"
import { packageOf } from "./native.ts"

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
  return path !== undefined && isAbsolute(path) && mayDiffer(path) ? path : undefined
}

function required(specifier: string, importer: string): string | undefined {
  try {
    return createRequire(importer).resolve(specifier)
  } catch {
    return undefined
  }
}

function mayDiffer(path: string): boolean {
  const folder = packageOf(path)?.folder ?? packageAbove(dirname(path))
  const known = differing.get(folder)
  if (known !== undefined) return known
  const differs = /"(?:development|module)"\s*:/.test(about(folder))
  differing.set(folder, differs)
  return differs
}

const differing = new Map<string, boolean>()

/** Packages of a workspace are not below a `node_modules`. */
function packageAbove(folder: string): string {
  const parent = dirname(folder)
  return existsSync(join(folder, "package.json")) || parent === folder
    ? folder
    : packageAbove(parent)
}

function about(folder: string): string {
  try {
    return readFileSync(join(folder, "package.json"), "utf8")
  } catch {
    return ""
  }
}
