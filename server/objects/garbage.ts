/**
 * Content that belongs to no object any more, and is to be removed from the store: at once, or when its last reader has
 * ended. What cannot be removed now is tried again by the next `collect`; what is left when the daemon ends, the next start
 * finds.
 */
export class Garbage {
  readonly #items = new Set<Discarded>()
  readonly #remove: (nuid: string) => Promise<void>

  /** `remove` takes the chunks of one object out of the store. */
  constructor(remove: (nuid: string) => Promise<void>) {
    this.#remove = remove
  }

  get bytes(): number {
    let bytes = 0
    for (const item of this.#items) bytes += item.bytes
    return bytes
  }

  /** Resolves when it is removed or has to wait. Never rejects. */
  async add(item: Discarded): Promise<void> {
    this.#items.add(item)
    await this.#try(item)
  }

  /** Removes what can be removed. Never rejects. */
  async collect(): Promise<void> {
    for (const item of this.#items) await this.#try(item)
  }

  async #try(item: Discarded): Promise<void> {
    if (item.use.readers > 0) return
    try {
      await this.#remove(item.nuid)
      this.#items.delete(item)
    } catch {
      // The store says nothing new about itself here; whoever uses it next hears of it.
    }
  }
}

export interface Discarded {
  readonly nuid: string
  readonly bytes: number
  /** Who still reads it. */
  readonly use: { readonly readers: number }
}
