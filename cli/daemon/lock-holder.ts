import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs"
import { daemonProcess, type ProcessIdentity } from "./process.ts"

/**
 * The daemon that holds the lock of a home, whatever its record says. Linux tells who holds a lock; elsewhere, and
 * where nobody can be named for certain, this is undefined.
 */
export function lockHolder(lock: string): ProcessIdentity | undefined {
  try {
    const { ino } = statSync(lock)
    const path = realpathSync(lock)
    // "1: POSIX  ADVISORY  WRITE 20239 fe:00:2181367 1073741824 1073742335"
    const entries = readFileSync("/proc/locks", "utf8").matchAll(ENTRY)
    // Inodes are unique within one file system only, so the process must have this very file open.
    const pid = [...entries]
      .filter(([, , inode]) => inode === String(ino))
      .map(([, holder]) => Number(holder))
      .find((holder) => hasOpen(holder, path))
    return pid === undefined ? undefined : daemonProcess(pid)
  } catch {
    return undefined
  }
}

const ENTRY = /^\d+: POSIX +ADVISORY +WRITE (\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /gm

function hasOpen(pid: number, path: string): boolean {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).some((descriptor) => {
    try {
      return readlinkSync(`${folder}/${descriptor}`) === path
    } catch {
      return false // Closed meanwhile.
    }
  })
}
