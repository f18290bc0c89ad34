import { existsSync, statSync } from "node:fs"
import { basename, extname, resolve } from "node:path"
import { BunhouseError } from "../../protocol/errors.ts"

/** What `bunhouse deploy` is to send: a whole module, or one export of it. */
export interface DeployTarget {
  /** Absolute path. */
  readonly file: string
  /** Undefined for the whole module. */
  readonly export: string | undefined
}

/**
 * Reads `jobs.ts` or `jobs.ts:resize`.
 *
 * @throws {BunhouseError} NOT_FOUND where there is no such file, INVALID_ARGUMENT for a colon without a name behind it.
 */
export function parseTarget(text: string): DeployTarget {
  const colon = text.lastIndexOf(":")
  const isWhole = colon === -1 || isFile(text)
  const name = text.slice(colon + 1)
  const path = isWhole ? text : text.slice(0, colon)
  if (!isFile(path))
    throw new BunhouseError("NOT_FOUND", `there is no file ${JSON.stringify(path)}`)
  if (isWhole) return { file: resolve(path), export: undefined }
  if (name !== "") return { file: resolve(path), export: name }
  const message = `expected the name of an export behind ${JSON.stringify(text)}; the whole module is ${JSON.stringify(path)}`
  throw new BunhouseError("INVALID_ARGUMENT", message)
}

/** `jobs` for `src/jobs.ts`. */
export function fileName(path: string): string {
  return basename(path, extname(path))
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile()
}
