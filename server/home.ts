import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from "node:fs"
import { BunhouseError } from "../protocol/errors.ts"
import { type HomePaths, homePaths } from "../protocol/home.ts"

/**
 * Makes and checks the state folder. Everything in it is only for its owner. Throws PERMISSION_DENIED where it cannot
 * be used, whatever the system's reason.
 *
 * Invariants:
 * H1. A folder or secret file that belongs to somebody else, is a link, or is open to others is refused, not mended:
 *     somebody may have put it there.
 * H2. A secret file is made by O_EXCL: what is there already is never written over.
 */
export function prepareHome(root: string): HomePaths {
  try {
    return prepare(root)
  } catch (error) {
    if (error instanceof BunhouseError) throw error
    throw refused(root, error instanceof Error ? error.message : String(error))
  }
}

function prepare(root: string): HomePaths {
  const paths = homePaths(root)
  mkdirSync(root, { recursive: true, mode: 0o700 })
  const { uid, mode } = lstatSync(root)
  if (!lstatSync(root).isDirectory()) throw refused(root, "it is not a folder")
  if (uid !== process.getuid?.()) throw refused(root, "it belongs to another user")
  if (mode & 0o077) throw refused(root, `others may enter it: run \`chmod 700 ${root}\``)
  for (const folder of [paths.broker, paths.cache, paths.logs, paths.envs]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }
  return paths
}

/** A random secret of this home (256 bits, base64url); made on first use. */
export function readOrMakeSecret(path: string): string {
  const made = makeSecret(path)
  if (made !== undefined) return made
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const { uid, mode } = fstatSync(descriptor)
    if (uid !== process.getuid?.()) throw refused(path, "it belongs to another user")
    if (mode & 0o077) throw refused(path, `others may read it: run \`chmod 600 ${path}\``)
    const secret = readFileSync(descriptor, "utf8").trim()
    if (!/^[\x21-\x7e]{16,512}$/.test(secret)) throw refused(path, "it holds no secret: delete it")
    return secret
  } finally {
    closeSync(descriptor)
  }
}

function makeSecret(path: string): string | undefined {
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW
  let descriptor: number
  try {
    descriptor = openSync(path, flags, 0o600)
  } catch (error) {
    if (isExisting(error)) return undefined
    throw error
  }
  try {
    const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")
    writeSync(descriptor, `${secret}\n`)
    return secret
  } finally {
    closeSync(descriptor)
  }
}

function isExisting(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST"
}

function refused(path: string, reason: string): BunhouseError {
  return new BunhouseError("PERMISSION_DENIED", `${path} cannot be used: ${reason}`)
}
