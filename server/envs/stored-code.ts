import type { Store } from "../../broker/store.ts"
import { now } from "../../protocol/deadlines.ts"
import { CODE_KEPT_MS } from "../../protocol/limits.ts"
import type { Log } from "../log.ts"

/**
 * The code of functions in the store, by version.
 *
 * Invariants:
 * K1. Code that the record of a function names is in the store before the record is, and as long as it is.
 * K2. Code that no record names any more is deleted: CODE_KEPT_MS later, because a process that starts may be about to load it,
 *     or so long after the next start, unless there are records that could not be read.
 */
export class StoredCode {
  readonly #parts: StoredCodeParts
  readonly #keptMs: number
  /** Versions of deploys that are under way, with their number. */
  readonly #held = new Map<string, number>()
  /** Versions that a function had, or a deploy, and when it no longer did. */
  readonly #left = new Map<string, number>()
  #timer: Timer | undefined
  #isUnswept = false
  #isStopped = false

  constructor(parts: StoredCodeParts) {
    this.#parts = parts
    this.#keptMs = parts.keptMs ?? CODE_KEPT_MS
  }

  /** Stores `code`, and keeps it at least until the end of the scope, by which a record should name it (K1). */
  async hold(version: string, code: string): Promise<Disposable> {
    this.#held.set(version, (this.#held.get(version) ?? 0) + 1)
    try {
      await this.#parts.store.put(version, code)
    } catch (error) {
      this.#release(version)
      throw error
    }
    return { [Symbol.dispose]: () => this.#release(version) }
  }

  /** A function has another version now, or is gone (K2). */
  left(version: string): void {
    this.#left.set(version, now())
    this.#look()
  }

  /** Looks at all versions that the store has. Legal when all records could be read (K2). */
  sweepLater(): void {
    this.#isUnswept = true
    this.#look()
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #release(version: string): void {
    const others = (this.#held.get(version) ?? 0) - 1
    if (others > 0) this.#held.set(version, others)
    else this.#held.delete(version)
    this.left(version)
  }

  #look(): void {
    if (this.#isStopped) return
    this.#timer ??= setTimeout(() => {
      this.#deleteLeft()
        .catch((error: unknown) => {
          // It takes up room until the next start.
          this.#parts.log("code not swept", { reason: String(error) })
        })
        .finally(() => {
          this.#timer = undefined
          if (this.#left.size > 0) this.#look()
        })
    }, this.#keptMs).unref()
  }

  async #deleteLeft(): Promise<void> {
    const { store, named } = this.#parts
    const versions = this.#isUnswept ? await store.versions() : []
    this.#isUnswept = false
    for (const [version, at] of this.#left) {
      if (now() - at < this.#keptMs) continue
      this.#left.delete(version)
      versions.push(version)
    }
    const known = named()
    for (const version of versions) {
      if (known.has(version) || this.#left.has(version)) continue
      await store.delete(version, () => this.#held.has(version) || named().has(version))
    }
  }
}

export interface StoredCodeParts {
  readonly store: Store["code"]
  /** The versions that the records of functions name. */
  readonly named: () => ReadonlySet<string>
  readonly log: Log
  /** Default: CODE_KEPT_MS. */
  readonly keptMs?: number | undefined
}
