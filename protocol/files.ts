import { BunhouseError } from "./errors.ts"
import type { Fields } from "./fields.ts"
import { FILE_PATH_BYTES_MAX, FILES_BYTES_MAX, FILES_COUNT_MAX } from "./limits.ts"

/**
 * A folder as it is shipped: one run of bytes, the same for the same content, so that its hash is its version.
 *
 *     pack   = 'b' 'h' 'f' 1   u32 length of the list   list   contents, one after the other
 *     list   = JSON: [[path, bytes, executable 0|1], …] in order of the paths
 *
 * Invariants:
 * U1. A pack holds regular files only, each below the folder: no absolute path, no `..`, no link, nothing twice.
 * U2. What the list says adds up to the bytes that are there.
 */
export interface PackedFile {
  /** Relative, with `/` between its parts. */
  readonly path: string
  readonly bytes: Uint8Array
  readonly isExecutable: boolean
}

/** What a spec says of shipped files. */
export interface FilesInfo {
  /** SHA-256 of the pack, hexadecimal. */
  readonly version: string
  readonly bytes: number
  readonly count: number
}

export function packFiles(files: readonly PackedFile[]): Buffer<ArrayBuffer> {
  const inOrder = files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const list = Buffer.from(
    JSON.stringify(
      inOrder.map((file) => [file.path, file.bytes.length, Number(file.isExecutable)]),
    ),
  )
  const length = Buffer.alloc(4)
  length.writeUInt32LE(list.length)
  return Buffer.concat([MAGIC, length, list, ...inOrder.map(({ bytes }) => bytes)])
}

/** Throws INVALID_ARGUMENT for what is no pack (U1, U2). The contents are views of `pack`. */
export function unpackFiles(pack: Uint8Array): PackedFile[] {
  const buffer = Buffer.from(pack.buffer, pack.byteOffset, pack.length)
  if (buffer.length < LIST_AT || !buffer.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw broken("it does not begin like one")
  }
  const listEnd = LIST_AT + buffer.readUInt32LE(MAGIC.length)
  const list = readList(buffer.subarray(LIST_AT, listEnd))
  const total = list.reduce((sum, { bytes }) => sum + bytes, listEnd)
  if (total !== buffer.length) throw broken(`it says ${total} bytes, and has ${buffer.length}`) // U2
  let at = listEnd
  return list.map(({ path, bytes, isExecutable }) => {
    at += bytes
    return { path, bytes: buffer.subarray(at - bytes, at), isExecutable }
  })
}

export function filesVersion(pack: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(pack).digest("hex")
}

export function isFilesVersion(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text)
}

export function readFilesInfo(fields: Fields): FilesInfo {
  const info = {
    version: fields.text("version"),
    bytes: fields.integer("bytes", 0, FILES_BYTES_MAX),
    count: fields.integer("count", 0, FILES_COUNT_MAX),
  }
  fields.done()
  if (isFilesVersion(info.version)) return info
  throw new BunhouseError("INVALID_ARGUMENT", "the version of shipped files is a SHA-256 in hex")
}

const MAGIC = Buffer.from("bhf\u0001")
const LIST_AT = MAGIC.length + 4

function readList(bytes: Uint8Array): { path: string; bytes: number; isExecutable: boolean }[] {
  let list: unknown
  try {
    list = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch (cause) {
    throw broken("its list cannot be read", cause)
  }
  if (!Array.isArray(list) || list.length > FILES_COUNT_MAX) throw broken("its list is too long")
  const seen = new Set<string>()
  return list.map((entry: unknown) => {
    const [path, size, executable]: unknown[] = Array.isArray(entry) ? entry : []
    if (typeof path !== "string" || typeof size !== "number" || !Number.isSafeInteger(size)) {
      throw broken("its list cannot be read")
    }
    if (size < 0) throw broken("a file has fewer than 0 bytes")
    checkPath(path)
    if (seen.has(path)) throw broken(`${JSON.stringify(path)} is there twice`)
    seen.add(path)
    return { path, bytes: size, isExecutable: executable === 1 }
  })
}

/** U1. */
function checkPath(path: string): void {
  const parts = path.split("/")
  const isBelow = parts.every((part) => part !== "" && part !== "." && part !== "..")
  const isShort = Buffer.byteLength(path) <= FILE_PATH_BYTES_MAX
  if (isBelow && isShort && !path.includes("\0") && path.isWellFormed()) return
  throw broken(`${JSON.stringify(path.slice(0, 200))} is no path below a folder`)
}

function broken(reason: string, cause?: unknown): BunhouseError {
  return new BunhouseError("INVALID_ARGUMENT", `these are no shipped files: ${reason}`, { cause })
}
