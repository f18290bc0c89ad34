import type { JobStore, StoredEntry, StoredHead } from "../../broker/job-store.ts"
import { BunhouseError } from "../../protocol/errors.ts"

/** A job store in memory: it can be away, and it can stop for good at a chosen write, as a daemon that is killed does. */
export class FakeJobStore implements JobStore {
  readonly entries = new Map<string, { readonly head: object; readonly body: Uint8Array }>()
  /** Keys in the order in which they were written, with the state that was written. */
  readonly written: string[] = []
  isAway = false
  /** Writes that still succeed; then none does. */
  writesLeft = Number.POSITIVE_INFINITY
  bodyBytesMax = Number.POSITIVE_INFINITY

  all(): Promise<StoredHead[]> {
    return this.#run(() => {
      return [...this.entries].map(([key, { head, body }]) => {
        // As through a wire: nothing but JSON comes back.
        return { key, head: JSON.parse(JSON.stringify(head)), bodyBytes: body.length }
      })
    })
  }

  put(key: string, head: object, body: Uint8Array): Promise<void> {
    return this.#run(() => {
      if (body.length > this.bodyBytesMax) throw new BunhouseError("PAYLOAD_TOO_LARGE", "too large")
      if (this.writesLeft-- <= 0) throw away()
      this.entries.delete(key)
      this.entries.set(key, { head, body: new Uint8Array(body) })
      this.written.push(`${key} ${"state" in head ? String(head.state) : ""}`.trimEnd())
    })
  }

  entry(key: string): Promise<StoredEntry | undefined> {
    return this.#run(() => {
      const found = this.entries.get(key)
      return found && { head: JSON.parse(JSON.stringify(found.head)), body: found.body }
    })
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#run(() => {
      for (const key of keys) this.entries.delete(key)
    })
  }

  async #run<T>(operation: () => T): Promise<T> {
    await Promise.resolve()
    if (this.isAway) throw away()
    return operation()
  }
}

function away(): BunhouseError {
  return new BunhouseError("UNAVAILABLE", "the store is away")
}
