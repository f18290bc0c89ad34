import { BunhouseError } from "../protocol/errors.ts"
import { KeyedMutex } from "../protocol/keyed-mutex.ts"
import { ObjectStore, type ObjectStoreOptions, type StoredObject } from "./object-store.ts"

/**
 * Contents by version, in an object store: the code of functions, or shipped folders. They may be longer than one message
 * of an outside cluster.
 *
 * Invariants:
 * O1. Content is handed out only when it is, by its checksum, what was put.
 * O2. Changes of one version follow each other, so that none leaves chunks of another's behind. What is cut off in the middle
 *     leaves a version that is damaged, and that the next `put` or `delete` mends.
 */
export class Objects {
  readonly #store: ObjectStore
  readonly #options: ObjectsOptions
  readonly #mutex = new KeyedMutex()

  private constructor(store: ObjectStore, options: ObjectsOptions) {
    this.#store = store
    this.#options = options
  }

  static async open(options: ObjectsOptions): Promise<Objects> {
    return new Objects(await ObjectStore.open({ ...options, damaged: DAMAGED }), options)
  }

  /** Legal for a version that is there; where it is damaged, this mends it. */
  async put(version: string, content: string | Uint8Array): Promise<void> {
    const bytes = typeof content === "string" ? Buffer.from(content) : content
    await this.#mutex.run(version, async () => {
      const old = await this.#load(version)
      if (old instanceof Buffer && old.equals(bytes)) return
      const replaced = await this.#store.find(version)
      const writer = this.#store.writer()
      try {
        await writer.append(bytes)
        await this.#store.save({ name: version, facts: undefined, ...writer.end() })
      } catch (error) {
        await this.#giveUp(version, writer.nuid)
        throw error
      }
      if (replaced !== undefined) await this.#store.removeChunks(replaced.nuid)
    })
  }

  async get(version: string): Promise<Buffer | undefined> {
    const bytes = await this.#load(version)
    if (bytes !== "damaged") return bytes
    const { what, problem } = this.#options
    problem(`the ${what} ${version} in the store is damaged and left out`)
    return undefined
  }

  versions(): Promise<string[]> {
    return this.#store.names()
  }

  /** Unless it is wanted by then, which is asked when no `put` of it is under way. Legal for one that is not there. */
  async delete(version: string, isWanted: () => boolean): Promise<void> {
    await this.#mutex.run(version, async () => {
      if (isWanted()) return
      const found = await this.#store.find(version)
      if (found !== undefined) await this.#store.removeChunks(found.nuid) // O2: first.
      await this.#store.forget(version)
    })
  }

  /** Deletes every other version. */
  async keep(versions: ReadonlySet<string>): Promise<void> {
    for (const version of await this.versions()) {
      await this.delete(version, () => versions.has(version))
    }
  }

  /** Removes what a `put` has written that failed; while the broker is away it is left. */
  async #giveUp(version: string, nuid: string): Promise<void> {
    try {
      const found = await this.#store.find(version)
      if (found?.nuid !== nuid) await this.#store.removeChunks(nuid)
    } catch {
      // Why `put` failed is told.
    }
  }

  async #load(version: string): Promise<Buffer | "damaged" | undefined> {
    let found = await this.#store.find(version)
    while (found !== undefined) {
      const bytes = await this.#read(found)
      if (bytes !== undefined) return bytes
      const latest = await this.#store.find(version)
      if (latest?.nuid === found.nuid) return "damaged"
      found = latest // Put again meanwhile, which removed what was being read.
    }
    return undefined
  }

  /** Undefined where it is damaged (O1). */
  async #read(found: StoredObject): Promise<Buffer | undefined> {
    try {
      return Buffer.concat(await Array.fromAsync(this.#store.read(found)))
    } catch (error) {
      if (error instanceof BunhouseError && error.code === DAMAGED) return undefined
      throw error
    }
  }
}

export type ObjectsOptions = Omit<ObjectStoreOptions, "damaged">

/** Nothing else of the store fails with it. */
const DAMAGED = "INTERNAL"
