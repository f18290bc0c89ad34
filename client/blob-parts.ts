import type { Stats } from "node:fs"
import type { BunFile } from "bun"
import { BunhouseError } from "../protocol/errors.ts"
import { OBJECT_PART_BYTES_MAX } from "../protocol/limits.ts"

/**
 * Reads Blobs part by part. `Bun.file(…)` is a Blob that remembers size and time of its file from when it was first asked
 * for its size, 0 where there was none; what its slices hold is read when they are.
 *
 * Invariants:
 * BP1. As many bytes as the Blob says, all of one state of its file, or INVALID_ARGUMENT.
 */

/** Throws INVALID_ARGUMENT for pipes, devices and the like, which do not say it. */
export function sizeOf(blob: Blob): number {
  if (Number.isSafeInteger(blob.size)) return blob.size
  throw unreadable(blob, NO_SIZE)
}

/** Cuts it into parts of OBJECT_PART_BYTES_MAX; only the last one is shorter. */
export async function* partsOfBlob(blob: Blob): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const size = sizeOf(blob)
  const state = await stateOf(blob)
  if (state !== undefined) await checkFile(blob, state)
  for (let from = 0; from < size; from += OBJECT_PART_BYTES_MAX) {
    const to = Math.min(from + OBJECT_PART_BYTES_MAX, size)
    const part = await reading(blob, () => blob.slice(from, to).bytes())
    if (part.length < to - from) {
      throw unreadable(blob, `it has ${from + part.length} bytes where ${size} were expected`)
    }
    // Before the last part is given out: it may be all that is missing.
    if (to === size && !isSame(state, await stateOf(blob))) {
      throw unreadable(blob, "it changed while it was read")
    }
    yield part
  }
}

/** Of its file, as it is now; undefined for a Blob that is no file of this machine. */
async function stateOf(blob: Blob): Promise<Stats | undefined> {
  if (!isFile(blob)) return undefined
  const state: unknown = await reading(blob, () => blob.stat())
  return isStats(state) ? state : undefined
}

async function checkFile(blob: Blob, state: Stats): Promise<void> {
  if (!state.isFile()) throw unreadable(blob, "it is no file")
  // The Blob has whole milliseconds; none of a file that was not there.
  const hasChanged = isFile(blob) && Math.abs(blob.lastModified - state.mtimeMs) >= 1
  if (hasChanged || (blob.size === 0 && state.size > 0)) {
    throw unreadable(blob, "it changed since its size was asked for: take a new Bun.file()")
  }
  if (state.size === 0 && (await hasBytes(blob))) throw unreadable(blob, NO_SIZE)
}

/** Files of /proc have some, and no size. */
async function hasBytes(blob: Blob): Promise<boolean> {
  const name = nameOf(blob)
  if (name === undefined) return false
  return reading(blob, async () => {
    // A new one: `blob` remembers that it has none.
    for await (const piece of Bun.file(name).stream()) if (piece.length > 0) return true
    return false
  })
}

function isSame(one: Stats | undefined, other: Stats | undefined): boolean {
  return one?.ino === other?.ino && one?.size === other?.size && one?.mtimeMs === other?.mtimeMs
}

async function reading<T>(blob: Blob, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    throw unreadable(blob, cause instanceof Error ? cause.message : String(cause), cause)
  }
}

function unreadable(blob: Blob, reason: string, cause?: unknown): BunhouseError {
  const name = nameOf(blob)
  const what = name === undefined ? "the file" : `the file ${JSON.stringify(name)}`
  return new BunhouseError("INVALID_ARGUMENT", `${what} cannot be put: ${reason}`, { cause })
}

function nameOf(blob: Blob): string | undefined {
  return isFile(blob) ? blob.name : undefined
}

/** So are all Blobs of Bun, by their methods; what `stat` returns tells them apart. */
function isFile(blob: Blob): blob is BunFile {
  return "stat" in blob
}

function isStats(state: unknown): state is Stats {
  return typeof state === "object" && state !== null && "isFile" in state
}

const NO_SIZE = "it does not say its size: put its stream() instead"
