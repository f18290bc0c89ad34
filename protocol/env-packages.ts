import { BunhouseError } from "./errors.ts"
import { PACKAGES_MAX } from "./limits.ts"

/**
 * Reads the packages of an env, as a record or as a list of `name@version`, into a record in order of the names.
 * Only what a registry serves is a package: a path or a URL would mean something else on every machine, or tomorrow.
 * Throws INVALID_ARGUMENT; `what` begins the message.
 */
export function readPackages(what: string, input: unknown): Readonly<Record<string, string>> {
  if (input === undefined) return {}
  if (typeof input !== "object" || input === null) throw refusal(what, expected(input))
  const entries = Array.isArray(input)
    ? input.map((item) => split(what, item))
    : Object.entries(input)
  if (entries.length > PACKAGES_MAX) {
    throw refusal(what, `${entries.length} packages are over the limit of ${PACKAGES_MAX}`)
  }
  const packages = new Map<string, string>()
  for (const [name, version] of entries) {
    const reason = whyNotAPackage(name, version)
    if (reason !== undefined) throw refusal(what, `${show(name)} cannot be a package: ${reason}`)
    if (packages.has(name)) throw refusal(what, `the package ${show(name)} is there twice`)
    packages.set(name, String(version))
  }
  return Object.fromEntries([...packages].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** `sharp@0.34.5`, the way people write packages. */
export function packageList(packages: Readonly<Record<string, string>>): string[] {
  return Object.entries(packages).map(([name, version]) => `${name}@${version}`)
}

function split(what: string, item: unknown): [name: string, version: string] {
  if (typeof item !== "string") throw refusal(what, expected(item))
  // The first character of a name may be the @ of its scope.
  const at = item.indexOf("@", 1)
  return at === -1 ? [item, "latest"] : [item.slice(0, at), item.slice(at + 1)]
}

function whyNotAPackage(name: string, version: unknown): string | undefined {
  if (name.length > NAME_LENGTH_MAX || !NAME.test(name)) return "the registry has no such names"
  if (name === "bunhouse") return "every env has the library already"
  if (typeof version !== "string") return `expected a version, got ${show(version)}`
  if (!version.startsWith("npm:")) return whyNotAVersion(version)
  const [real, range] = split("", version.slice("npm:".length))
  return NAME.test(real)
    ? whyNotAVersion(range)
    : `${show(version)} names no package of the registry`
}

function whyNotAVersion(version: string): string | undefined {
  if (version.length <= VERSION_LENGTH_MAX && VERSION.test(version) && !FILE.test(version)) {
    return undefined
  }
  return `expected a version, range or tag of the registry, got ${show(version)}; paths, URLs and git are not supported (ship them with files, fetch them in setup)`
}

const NAME = /^(@[a-z0-9~][\w.~-]*\/)?[a-z0-9~][\w.~-]*$/i
const NAME_LENGTH_MAX = 214
const VERSION = /^[\w^~<>=*][\w.^~<>=|*+ -]*$/
const VERSION_LENGTH_MAX = 200
/** An installer takes these for a file. */
const FILE = /\.(tgz|tar|gz)$/i

function expected(input: unknown): string {
  return `expected packages to be like { "is-odd": "3.0.1" } or ["is-odd@3.0.1"], got ${show(input)}`
}

function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : Bun.inspect(value, { depth: 0 })
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

function refusal(what: string, reason: string): BunhouseError {
  return new BunhouseError("INVALID_ARGUMENT", `${what}: ${reason}`)
}
