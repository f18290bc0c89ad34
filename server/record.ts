import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import type { DaemonRecord } from "../protocol/home.ts"

/** Writes where this daemon can be found, so that a reader sees all of it or nothing. */
export function writeRecord(path: string, record: DaemonRecord): void {
  const draft = `${path}.${record.bootId}`
  writeFileSync(draft, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 })
  renameSync(draft, path)
}

/** Takes the record away, unless it is that of another life. */
export function removeRecord(path: string, bootId: string): void {
  try {
    if (readFileSync(path, "utf8").includes(bootId)) rmSync(path)
  } catch {
    // It is gone already.
  }
}
