import { mkdirSync, openSync } from "node:fs"
import { dirname } from "node:path"

/** A descriptor that appends to the log of an env, whose folder may have been deleted meanwhile. */
export function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  return openSync(file, "a", 0o600)
}
