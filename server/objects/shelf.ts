import type { ObjectStore, StoredObject } from "../../broker/object-store.ts"
import type { StoredContent } from "../../protocol/stored-content.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { OBJECT_NAMES_MAX, OBJECTS_MAX } from "../../protocol/limits.ts"
import {
  checkObjectName,
  objectId,
  type ObjectInfo,
  type PutOptions,
  readObjectId,
} from "../../protocol/object.ts"
import { Garbage } from "./garbage.ts"
import { type Holds, isHeld, NO_HOLDS, readFacts, toFacts, withHold, withoutName } from "./holds.ts"
import { type ObjectEntry, ObjectIndex } from "./object-index.ts"

/**
 * The objects that are there, in the store and in the index, and every change of them.
 *
 * Invariants:
 * H1. The same content of the same type is stored once, however often and under however many names it is put.
 * H2. The index says what the store has confirmed: the store is written first.
 * H3. Whoever reads an object reads all of it: its chunks are removed when the last reader has ended, though nobody finds
 *     the object any more once it was deleted or has expired.
 * H4. Changes happen one after another.
 */
export class Shelf {
  readonly index: ObjectIndex
  readonly garbage: Garbage
  readonly #store: ObjectStore
  readonly #now: () => number
  /** Settles when the last change that was asked for is done (H4). */
  #lastChange: Promise<unknown> = Promise.resolve()

  private constructor(store: ObjectStore, now: () => number) {
    this.#store = store
    this.#now = now
    this.index = new ObjectIndex(now)
    this.garbage = new Garbage((nuid) => store.removeChunks(nuid))
  }

  static async open(store: ObjectStore, options: ShelfOptions): Promise<Shelf> {
    const shelf = new Shelf(store, options.now)
    for (const stored of await store.all()) {
      try {
        shelf.index.add(entryOf(stored))
      } catch (error) {
        options.problem(`the object ${stored.name} is left out: ${Bun.inspect(error)}`)
      }
    }
    return shelf
  }

  /** Makes an object of what was written, or holds the one that has this content (H1). The draft is used up either way. */
  keep(
    options: PutOptions,
    draft: StoredContent & { readonly sha256: string },
  ): Promise<ObjectInfo> {
    const id = objectId(options.type, draft.sha256)
    return this.#change(async () => {
      const known = await this.#hold(id, options)
      if (known === undefined) return await this.#add(id, options, draft)
      await this.discard(draft)
      return known
    })
  }

  /** Holds the object `id` as a put would; undefined when there is none. */
  hold(id: string, options: PutOptions): Promise<ObjectInfo | undefined> {
    return this.#change(() => this.#hold(id, options))
  }

  /** Gives an object another name, in place of `from`; another object loses it. Throws NOT_FOUND, INVALID_ARGUMENT. */
  rename(from: string, to: string): Promise<ObjectInfo> {
    checkObjectName(from)
    checkObjectName(to)
    return this.#change(async () => {
      const entry = this.index.find(from)
      const until = entry.holds.names.get(from) ?? 0
      await this.#setHolds(entry, withHold(withoutName(entry.holds, from), to, until), to)
      return this.index.info(entry)
    })
  }

  /**
   * By id: the object goes, with all its names. By name: the name goes, and the object with it unless another name or a
   * put without a name holds it. Throws NOT_FOUND.
   */
  delete(key: string): Promise<void> {
    return this.#change(async () => {
      const entry = this.index.find(key)
      const left = readObjectId(key) === undefined ? withoutName(entry.holds, key) : NO_HOLDS
      if (isHeld(left)) await this.#setHolds(entry, left)
      else await this.#drop(entry)
    })
  }

  /** Removes what has expired. */
  async sweep(): Promise<void> {
    for (const entry of this.index.entries) {
      await this.#change(async () => {
        if (this.index.lapse(entry)) await this.#drop(entry)
      })
    }
    await this.garbage.collect()
  }

  /** Gives up content that became no object. Never rejects. */
  async discard({ nuid, bytes }: Pick<StoredContent, "nuid" | "bytes">): Promise<void> {
    await this.garbage.add({ nuid, bytes, use: { readers: 0 } })
  }

  async #hold(id: string, { name, ttlMs }: PutOptions): Promise<ObjectInfo | undefined> {
    const entry = this.index.get(id)
    if (entry === undefined) return undefined
    if (this.index.lapse(entry)) {
      await this.#drop(entry)
      return undefined
    }
    await this.#setHolds(entry, withHold(entry.holds, name, this.#until(ttlMs)), name)
    return this.index.info(entry)
  }

  async #add(id: string, { type, name, ttlMs }: PutOptions, draft: StoredContent) {
    if (this.index.size >= OBJECTS_MAX) {
      await this.discard(draft)
      throw new BunhouseError("OVERLOADED", `the daemon has ${OBJECTS_MAX} objects: delete some`)
    }
    const { nuid, bytes, chunks, digest } = draft
    const stored = { name: id, nuid, bytes, chunks, digest }
    const createdAt = this.#now()
    const holds = withHold(NO_HOLDS, name, this.#until(ttlMs))
    try {
      await this.#store.save({ ...stored, facts: toFacts({ createdAt, holds }) })
    } catch (error) {
      // It may have been saved all the same. Unless that can be undone, the next start finds what there is.
      await this.#store.forget(id).then(
        () => this.discard(draft),
        () => {},
      )
      throw error
    }
    if (name !== undefined) await this.#release(name)
    const entry: ObjectEntry = { stored, type, createdAt, holds, readers: 0 }
    this.index.add(entry)
    return this.index.info(entry)
  }

  /** `taken`: a name that another object may have, which loses it. */
  async #setHolds(entry: ObjectEntry, holds: Holds, taken?: string): Promise<void> {
    if (holds.names.size > OBJECT_NAMES_MAX) {
      const message = `the object has ${OBJECT_NAMES_MAX} names already: delete some`
      throw new BunhouseError("INVALID_ARGUMENT", message)
    }
    const { stored, createdAt } = entry
    await this.#store.save({ ...stored, facts: toFacts({ createdAt, holds }) })
    if (taken !== undefined && this.index.named(taken) !== entry) await this.#release(taken)
    this.index.hold(entry, holds)
  }

  /** Takes a name from the object that has it. */
  async #release(name: string): Promise<void> {
    const entry = this.index.named(name)
    if (entry === undefined) return
    const left = withoutName(entry.holds, name)
    if (isHeld(left)) await this.#setHolds(entry, left)
    else await this.#drop(entry)
  }

  async #drop(entry: ObjectEntry): Promise<void> {
    const { name, nuid, bytes } = entry.stored
    await this.#store.forget(name)
    this.index.remove(entry)
    await this.garbage.add({ nuid, bytes, use: entry }) // H3
  }

  #until(ttlMs: number): number {
    return ttlMs === 0 ? Number.POSITIVE_INFINITY : this.#now() + ttlMs
  }

  #change<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#lastChange.then(change)
    this.#lastChange = done.catch(() => {})
    return done
  }
}

export interface ShelfOptions {
  /** Milliseconds of the system's clock. */
  readonly now: () => number
  /** Gets a line about each object that is left out. */
  readonly problem: (line: string) => void
}

function entryOf({ name, nuid, bytes, chunks, digest, facts }: StoredObject): ObjectEntry {
  const id = readObjectId(name)
  if (id === undefined) throw new BunhouseError("INVALID_ARGUMENT", "its name is no id")
  const stored = { name, nuid, bytes, chunks, digest }
  return { stored, type: id.type, ...readFacts(facts), readers: 0 }
}
