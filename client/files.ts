import { existsSync, readFileSync, statSync } from "node:fs"
import { lstat, readdir, readFile } from "node:fs/promises"
import { dirname, join, relative, resolve } from "node:path"
import ignore, { type Ignore } from "ignore"
import { BunhouseError } from "../protocol/errors.ts"
import { type FilesInfo, filesVersion, type PackedFile, packFiles } from "../protocol/files.ts"
import { FILES_BYTES_MAX, FILES_COUNT_MAX } from "../protocol/limits.ts"

/** A folder, packed to be shipped. */
export interface Shipment {
  readonly folder: string
  readonly info: FilesInfo
  readonly pack: Uint8Array<ArrayBuffer>
}

/**
 * Packs a folder: its regular files, without `.git`, `node_modules` and what .gitignore files name, those of the
 * repository around it included.
 *
 * @throws {BunhouseError} INVALID_ARGUMENT for no folder, and for links and the like, which mean something else elsewhere;
 *   PAYLOAD_TOO_LARGE.
 */
export async function packFolder(given: string): Promise<Shipment> {
  const folder = resolve(given)
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new BunhouseError("INVALID_ARGUMENT", `expected files to be a folder, got ${folder}`)
  }
  const found: FoundFile[] = []
  await walk(folder, folder, rulesAround(folder), found)
  checkSize(folder, found)
  const files = await Promise.all(found.map(readFound))
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0)
  const pack = packFiles(files)
  return { folder, info: { version: filesVersion(pack), bytes, count: files.length }, pack }
}

interface FoundFile {
  readonly absolute: string
  readonly path: string
  readonly bytes: number
  readonly isExecutable: boolean
}

/** The .gitignore of one folder. */
interface Rules {
  readonly folder: string
  readonly rules: Ignore
}

const NEVER = new Set([".git", "node_modules"])

async function walk(
  root: string,
  folder: string,
  above: readonly Rules[],
  found: FoundFile[],
): Promise<void> {
  const rules = [...above, ...rulesIn(folder)]
  for (const name of (await readdir(folder)).toSorted()) {
    if (NEVER.has(name)) continue
    const absolute = join(folder, name)
    const stat = await lstat(absolute)
    if (isIgnored(rules, absolute, stat.isDirectory())) continue
    if (stat.isDirectory()) {
      await walk(root, absolute, rules, found)
    } else if (stat.isFile()) {
      const path = relative(root, absolute).split("\\").join("/")
      const isExecutable = (stat.mode & 0o100) !== 0
      found.push({ absolute, path, bytes: stat.size, isExecutable })
      if (found.length > FILES_COUNT_MAX) {
        throw tooLarge(`${root} holds more than ${FILES_COUNT_MAX} files`, found)
      }
    } else {
      const kind = stat.isSymbolicLink() ? "a symbolic link" : "no regular file"
      const message = `${absolute} is ${kind} and cannot be shipped: put the file itself there, or name it in a .gitignore`
      throw new BunhouseError("INVALID_ARGUMENT", message)
    }
  }
}

/** Those of the repository, down to the folder's parent; none where they would leave out the folder itself. */
function rulesAround(folder: string): readonly Rules[] {
  const above: string[] = []
  for (let at = folder; !existsSync(join(at, ".git")); at = dirname(at)) {
    if (dirname(at) === at) return []
    above.unshift(dirname(at))
  }
  const rules = above.flatMap(rulesIn)
  return isIgnored(rules, folder, true) ? [] : rules
}

function rulesIn(folder: string): readonly Rules[] {
  try {
    const text = readFileSync(join(folder, ".gitignore"), "utf8")
    return [{ folder, rules: ignore().add(text) }]
  } catch {
    return []
  }
}

/** The rules of deeper folders count more, as they do for git. */
function isIgnored(rules: readonly Rules[], absolute: string, isFolder: boolean): boolean {
  let isOut = false
  for (const { folder, rules: own } of rules) {
    const { ignored, unignored } = own.test(`${relative(folder, absolute)}${isFolder ? "/" : ""}`)
    if (ignored) isOut = true
    if (unignored) isOut = false
  }
  return isOut
}

async function readFound({ absolute, path, isExecutable }: FoundFile): Promise<PackedFile> {
  return { path, bytes: await readFile(absolute), isExecutable }
}

function checkSize(folder: string, found: readonly FoundFile[]): void {
  const bytes = found.reduce((sum, file) => sum + file.bytes, 0)
  if (bytes <= FILES_BYTES_MAX) return
  throw tooLarge(`${folder} takes ${bytes} bytes, over the limit of ${FILES_BYTES_MAX}`, found)
}

function tooLarge(what: string, found: readonly FoundFile[]): BunhouseError {
  const largest = found.toSorted((a, b) => b.bytes - a.bytes).slice(0, LARGEST_SHOWN)
  const shown = largest.map(({ path, bytes }) => `${path} (${bytes})`).join(", ")
  const message = `${what}; the largest files are ${shown}: name what is not needed in a .gitignore`
  return new BunhouseError("PAYLOAD_TOO_LARGE", message)
}

const LARGEST_SHOWN = 3
