import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { isAbsolute, join } from "node:path"
import { resolve } from "./find-value.ts"
import { packageOf } from "./native.ts"

/**
 * The file that a name which is imported means to this program, where a bundler might take another: on its own it prefers what a
 * package has for development or for bundlers, and knows nothing of the `--conditions` of the run. Undefined where it is right.
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

/** The bundler reads less of a package that it has found by itself. */
function mayDiffer(path: string): boolean {
  const owner = packageOf(path)
  if (owner === undefined || HAS_CONDITIONS) return true
  const known = differing.get(owner.folder)
  if (known !== undefined) return known
  const differs = /"(?:development|module)"\s*:/.test(about(owner.folder))
  differing.set(owner.folder, differs)
  return differs
}

const differing = new Map<string, boolean>()
const HAS_CONDITIONS = process.execArgv.some((flag) => flag.startsWith("--conditions"))

function about(folder: string): string {
  try {
    return readFileSync(join(folder, "package.json"), "utf8")
  } catch {
    return ""
  }
}
