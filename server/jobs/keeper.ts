import type { JobStore, StoredEntry } from "../../broker/job-store.ts"
import { BunhouseError } from "../../protocol/errors.ts"

/**
 * Writes that insist: while the broker is away they wait, because a job whose step cannot be written must neither be
 * forgotten nor told about.
 *
 * Invariant:
 * X1. After `stop` nothing is written any more, and what waits is rejected with UNAVAILABLE.
 */
export class Keeper {
  readonly #store: JobStore
  readonly #stopped = Promise.withResolvers<void>()
  readonly #forgotten: Forgotten[] = []
  #isStopped = false
  #isSweeping = false

  constructor(store: JobStore) {
    this.#store = store
  }

  /** Largest body of an entry. */
  get bodyBytesMax(): number {
    return this.#store.bodyBytesMax
  }

  /** Rejects with PAYLOAD_TOO_LARGE, or X1. */
  put(key: string, head: object, body: Uint8Array): Promise<void> {
    return this.#insist(() => this.#store.put(key, head, body))
  }

  entry(key: string): Promise<StoredEntry | undefined> {
    return this.#insist(() => this.#store.entry(key))
  }

  async body(key: string): Promise<Uint8Array | undefined> {
    return (await this.entry(key))?.body
  }

  delete(key: string): Promise<void> {
    return this.#insist(() => this.#store.delete([key]))
  }

  /**
   * Takes entries out, in the order of `keys`, without hurry, and calls `after`: what is not taken out now is after the next
   * start.
   */
  forget(keys: readonly string[], after: () => void = () => {}): void {
    this.#forgotten.push({ keys, after })
    if (!this.#isSweeping) void this.#sweep()
  }

  stop(): void {
    this.#isStopped = true
    this.#stopped.resolve()
  }

  async #insist<T>(operation: () => Promise<T>): Promise<T> {
    for (let waitMs = WAIT_MS_FIRST; ; waitMs = Math.min(waitMs * 2, WAIT_MS_MAX)) {
      if (this.#isStopped) throw stopping()
      try {
        return await operation()
      } catch (error) {
        if (!(error instanceof BunhouseError) || error.code !== "UNAVAILABLE") throw error
      }
      await Promise.race([Bun.sleep(waitMs), this.#stopped.promise])
    }
  }

  /** Never rejects. A few at a time, so that whoever writes meanwhile does not wait for all of them. */
  async #sweep(): Promise<void> {
    this.#isSweeping = true
    while (this.#forgotten.length > 0 && !this.#isStopped) {
      const batch = this.#forgotten.splice(0, SWEPT_AT_ONCE)
      // X1 is the only reason for a rejection.
      await Promise.allSettled(
        batch.map(async ({ keys, after }) => {
          await this.#insist(() => this.#store.delete(keys))
          after()
        }),
      )
    }
    this.#isSweeping = false
  }
}

interface Forgotten {
  readonly keys: readonly string[]
  readonly after: () => void
}

const WAIT_MS_FIRST = 50
const WAIT_MS_MAX = 1_000
const SWEPT_AT_ONCE = 64

function stopping(): BunhouseError {
  return new BunhouseError("UNAVAILABLE", "the daemon is stopping", { ran: "maybe" })
}
