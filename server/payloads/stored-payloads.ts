import type { ChunkStore } from "../../broker/chunks.ts"
import { OBJECT_CHUNK_BYTES_MAX } from "../../protocol/limits.ts"
import { windowFor } from "../../protocol/parts/window.ts"
import type { StoredContent } from "../../protocol/stored-content.ts"
import { nextBytes, type OpenPayload } from "../calls/open-payload.ts"
import type { Log } from "../log.ts"
import { Garbage } from "../objects/garbage.ts"
import { PayloadWriter } from "./payload-writer.ts"
import type { Room } from "./room.ts"

/**
 * Payloads that are too large for one message, in the store: written as they come, read as they are asked for. Who owns
 * one says so in a record of his own, written when the payload is complete; a payload that no record names is none.
 *
 * Invariants:
 * W1. Memory holds a few parts of a payload, never more.
 * W2. What is written, or not removed yet, is counted in the room.
 * W3. Whoever reads a payload reads all of it: it is removed when its last reader has ended.
 * W4. What an earlier daemon left that no record names is removed before anything is written, unless there are records
 *     that could not be read: whose payloads those stand for is not known.
 */
export class StoredPayloads {
  readonly #options: StoredPayloadsOptions
  /** All that the store has, by nuid. */
  readonly #counted = new Map<string, Counted>()
  readonly #garbage: Garbage
  #opening: Promise<ChunkStore> | undefined
  #writing = 0

  constructor(options: StoredPayloadsOptions) {
    this.#options = options
    this.#garbage = new Garbage((nuid) => this.#remove(nuid))
  }

  /** A record of an earlier daemon names it. Legal before `prepare` only. */
  adopt({ nuid, bytes }: StoredContent): void {
    this.#options.room.add(bytes)
    this.#counted.set(nuid, { bytes, readers: 0 })
  }

  /** Opens the store, in the background: a start waits for no large payload. */
  prepare(): void {
    this.#open().catch((error: unknown) => {
      // Whoever needs it opens it again.
      this.#options.log("large payloads not opened", { error: Bun.inspect(error) })
    })
  }

  /** Bytes that may be on the way into one of the payloads that are written now. */
  get windowBytes(): number {
    return windowFor(Math.max(1, this.#writing))
  }

  /** Begins a payload of `total` bytes. Rejects with OVERLOADED, UNAVAILABLE. */
  async begin(total: number): Promise<PayloadWriter> {
    const { room } = this.#options
    room.check(total)
    room.add(total) // W2
    this.#writing++
    try {
      const writer = (await this.#open()).writer()
      this.#counted.set(writer.nuid, { bytes: total, readers: 0 })
      return new PayloadWriter(total, writer, (nuid, how) => {
        this.#writing--
        if (how === "given up") this.drop({ nuid })
      })
    } catch (error) {
      this.#writing--
      room.add(-total)
      throw error
    }
  }

  /** Writes what `payload` brings. Rejects as `begin`, and with its own error where it breaks off. */
  async write({ total, first, body, broken }: OpenPayload): Promise<StoredContent> {
    let writer: PayloadWriter | undefined
    try {
      writer = await this.begin(total)
      const pieces = [first]
      for (let held = first.length; writer.bytes < total; held = 0) {
        while (held < OBJECT_CHUNK_BYTES_MAX && writer.bytes + held < total) {
          const at = writer.bytes + held
          const bytes = await nextBytes(body).catch((cause: unknown) => {
            throw broken(at, cause)
          })
          pieces.push(bytes)
          held += bytes.length
        }
        await writer.append(Buffer.concat(pieces.splice(0)))
      }
      return writer.finish()
    } catch (error) {
      writer?.giveUp()
      throw error
    } finally {
      void body.cancel()
    }
  }

  /** `name` is for messages. Throws UNAVAILABLE while the broker is away, INTERNAL when it is damaged. */
  async *read(name: string, content: StoredContent): AsyncGenerator<Uint8Array> {
    const counted = this.#counted.get(content.nuid)
    if (counted !== undefined) counted.readers++ // W3
    try {
      yield* (await this.#open()).read(name, content)
    } finally {
      if (counted !== undefined) counted.readers--
      void this.#garbage.collect()
    }
  }

  /** No record names it any more. */
  drop({ nuid }: Pick<StoredContent, "nuid">): void {
    const use = this.#counted.get(nuid)
    if (use !== undefined) void this.#garbage.add({ nuid, bytes: use.bytes, use })
  }

  async #remove(nuid: string): Promise<void> {
    await (await this.#open()).remove(nuid)
    const counted = this.#counted.get(nuid)
    if (counted === undefined) return
    this.#counted.delete(nuid)
    this.#options.room.add(-counted.bytes)
  }

  async #open(): Promise<ChunkStore> {
    this.#opening ??= this.#load().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return await this.#opening
  }

  /** W4. */
  async #load(): Promise<ChunkStore> {
    const { open, mayRemove } = this.#options
    const store = await open()
    if (!mayRemove()) return store
    for (const nuid of await store.nuids()) {
      if (!this.#counted.has(nuid)) await store.remove(nuid)
    }
    return store
  }
}

export interface StoredPayloadsOptions {
  readonly open: () => Promise<ChunkStore>
  /** Shared with what else counts. */
  readonly room: Room
  /** Whether all records that may name a payload could be read (W4). */
  readonly mayRemove: () => boolean
  readonly log: Log
}

/** Also says who still reads it. */
interface Counted {
  readonly bytes: number
  readers: number
}
