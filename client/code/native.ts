import { existsSync } from "node:fs"
import { join } from "node:path"

/**
 * Packages that have native code, as far as they say so: an addon that is named in the text is noticed by the bundler,
 * but most packages find theirs by names that they make while they run.
 */

const PACKAGE = /^(.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+))/

/** The package that a file belongs to; undefined for files of the program. */
export function packageOf(
  path: string,
): { readonly folder: string; readonly name: string } | undefined {
  const [, folder, name] = PACKAGE.exec(path) ?? []
  return folder === undefined || name === undefined ? undefined : { folder, name }
}

/** Names of the packages among `files` that have native code. */
export async function nativePackages(files: Iterable<string>): Promise<readonly string[]> {
  const packages = new Map<string, string>()
  for (const file of files) {
    const found = packageOf(file)
    if (found !== undefined) packages.set(found.folder, found.name)
  }
  const natives: string[] = []
  for (const [folder, name] of packages) if (await isNative(folder)) natives.push(name)
  return natives
}

async function isNative(folder: string): Promise<boolean> {
  if (existsSync(join(folder, "binding.gyp"))) return true
  const about: unknown = await Bun.file(join(folder, "package.json"))
    .json()
    .catch(() => undefined)
  if (typeof about !== "object" || about === null) return false
  // Of napi-rs, of node-pre-gyp and prebuild, of npm.
  if ("napi" in about || "binary" in about) return true
  if ("gypfile" in about && about.gypfile === true) return true
  const optional = "optionalDependencies" in about ? about.optionalDependencies : undefined
  if (typeof optional !== "object" || optional === null) return false
  return Object.keys(optional).some((name) => FOR_ONE_PROCESSOR.test(name))
}

/** One of several packages of which a machine gets its own: `@img/sharp-linux-x64`. */
const FOR_ONE_PROCESSOR = /-(?:x64|arm64|ia32|arm|riscv64|ppc64|s390x)\b/
