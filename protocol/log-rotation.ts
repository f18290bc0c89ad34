import { copyFileSync, fstatSync, ftruncateSync, renameSync, statSync } from "node:fs"
import { LOG_BYTES_MAX, LOG_FILES_MAX } from "./limits.ts"

/**
 * Bounds a log to which processes append through descriptors that they keep: what it holds is copied to `path.1`, that
 * before to `path.2`, and it is cut to nothing; whoever appends goes on at its new end. What is written between copy and
 * cut is lost: some microseconds' worth.
 *
 * Does nothing while the log is small, or when `descriptor` does not lead to `path` (a terminal, a log that was moved).
 * Never throws: a log that cannot be bounded is no reason to fail.
 */
export function rotateLog(descriptor: number, path: string): void {
  try {
    const own = fstatSync(descriptor)
    if (!own.isFile() || own.size < LOG_BYTES_MAX) return
    const named = statSync(path)
    if (named.ino !== own.ino || named.dev !== own.dev) return
    // Readers find each file at any moment, and nothing has moved where there is no room for the copy.
    copyFileSync(path, `${path}.new`)
    for (let number = LOG_FILES_MAX - 2; number > 0; number--) {
      rename(`${path}.${number}`, `${path}.${number + 1}`)
    }
    rename(`${path}.new`, `${path}.1`)
    ftruncateSync(descriptor, 0)
  } catch {
    // A full disk, most likely.
  }
}

/** The files of a log, the newest first. */
export function logFiles(path: string): readonly string[] {
  const older = Array.from({ length: LOG_FILES_MAX - 1 }, (_, index) => `${path}.${index + 1}`)
  return [path, ...older]
}

function rename(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch {
    // There is none yet.
  }
}
