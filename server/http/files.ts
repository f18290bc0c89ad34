import { BunhouseError } from "../../protocol/errors.ts"
import { filesVersion, isFilesVersion, unpackFiles } from "../../protocol/files.ts"

/** Returns the version under which a shipped folder may be kept. Throws INVALID_ARGUMENT for what is none. */
export function checkFiles(version: string, pack: Uint8Array): string {
  unpackFiles(pack)
  if (isFilesVersion(version) && filesVersion(pack) === version) return version
  const message = "the version in the path is not the SHA-256 of the shipped files"
  throw new BunhouseError("INVALID_ARGUMENT", message)
}
