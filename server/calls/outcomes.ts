import type { Call } from "./call.ts"

/** How a call with an idempotency key ended. */
export interface RecordedOutcome {
  /** Of the arguments. */
  readonly digest: string
  /** The reply or error frame, as a batch. */
  readonly batch: Uint8Array
  /** For its serial. */
  readonly call: Call
}

/**
 * Outcomes for a while, bounded in number and bytes: where there is no room for one, the oldest go. What is too old is
 * taken away when the next one comes or is asked for; meanwhile the bounds hold.
 */
export class Outcomes {
  readonly #options: OutcomesOptions
  /** In the order in which they expire. */
  readonly #kept = new Map<string, RecordedOutcome & { readonly expiresAt: number }>()
  #bytes = 0

  constructor(options: OutcomesOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#kept.size
  }

  get(id: string): RecordedOutcome | undefined {
    this.#expire()
    return this.#kept.get(id)
  }

  add(id: string, outcome: RecordedOutcome): void {
    this.#expire()
    this.#remove(id)
    const { bytesMax, countMax, ttlMs, now } = this.#options
    const bytes = outcome.batch.length
    if (bytes > bytesMax) return
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < countMax && this.#bytes + bytes <= bytesMax) break
      this.#remove(oldest)
    }
    this.#kept.set(id, { ...outcome, expiresAt: now() + ttlMs })
    this.#bytes += bytes
  }

  #expire(): void {
    const time = this.#options.now()
    for (const [id, { expiresAt }] of this.#kept) {
      if (expiresAt > time) return
      this.#remove(id)
    }
  }

  #remove(id: string): void {
    const outcome = this.#kept.get(id)
    if (outcome === undefined) return
    this.#kept.delete(id)
    this.#bytes -= outcome.batch.length
  }
}

interface OutcomesOptions {
  readonly ttlMs: number
  readonly countMax: number
  readonly bytesMax: number
  /** Monotonic, ms. */
  readonly now: () => number
}
