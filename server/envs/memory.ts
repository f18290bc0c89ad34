import { readFileSync } from "node:fs"
import { MEMORY_CHECK_MS } from "../../protocol/limits.ts"

/**
 * Watches the resident memory of one process while it has a limit. Bun has no limit of its own, and what the system
 * offers (RLIMIT_DATA, cgroups) ends the process without saying why. It looks now and then: a process that grows
 * faster than that is over its limit for a moment.
 */
export class MemoryWatch {
  readonly #pid: number
  readonly #onOver: (how: string) => void
  #timer: Timer | undefined
  #limitMiB: number | undefined

  /** `onOver` is told in words that the process is over its limit. */
  constructor(pid: number, onOver: (how: string) => void) {
    this.#pid = pid
    this.#onOver = onOver
  }

  /** From now on; undefined for none. */
  limit(memoryMiB: number | undefined): void {
    this.#limitMiB = memoryMiB
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (memoryMiB !== undefined) this.#wait()
  }

  stop(): void {
    this.limit(undefined)
  }

  /** Looks now. Never rejects. */
  async isOver(): Promise<boolean> {
    if (this.#limitMiB === undefined) return false
    const bytes = residentBytes(this.#pid) ?? (await residentBytesByPs(this.#pid))
    if (this.#limitMiB === undefined || bytes === undefined) return false
    if (bytes <= this.#limitMiB * MIB) return false
    const used = Math.ceil(bytes / MIB)
    this.#onOver(`out of memory: ${used} MiB resident, over its limit of ${this.#limitMiB} MiB`)
    return true
  }

  #wait(): void {
    this.#timer = setTimeout(() => void this.#look(), MEMORY_CHECK_MS)
    this.#timer.unref()
  }

  async #look(): Promise<void> {
    const timer = this.#timer
    const isOver = await this.isOver()
    if (!isOver && this.#timer === timer && timer !== undefined) this.#wait()
  }
}

/** Resident memory of a process, where the system says so at once (Linux). */
export function residentBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    return kib === undefined ? undefined : Number(kib) * 1024
  } catch {
    return undefined
  }
}

/** The same for other systems. */
export async function residentBytesByPs(pid: number): Promise<number | undefined> {
  try {
    const child = Bun.spawn(["ps", "-o", "rss=", "-p", String(pid)], {
      stdio: ["ignore", "pipe", "ignore"],
    })
    const kib = Number.parseInt(await child.stdout.text(), 10)
    return Number.isNaN(kib) ? undefined : kib * 1024
  } catch {
    return undefined
  }
}

const MIB = 1024 * 1024
