import type { ObjectStore } from "../../broker/object-store.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import {
  DOWNLOADS_MAX,
  OBJECT_BYTES_MAX,
  OBJECT_PART_BYTES_MAX,
  OBJECT_SWEEP_MS,
} from "../../protocol/limits.ts"
import {
  objectId,
  type ObjectInfo,
  type PutOptions,
  tooLarge,
  type UploadRequest,
} from "../../protocol/object.ts"
import type { Log } from "../log.ts"
import type { ObjectEntry } from "./object-index.ts"
import { Shelf } from "./shelf.ts"
import { Uploads } from "./uploads.ts"

/**
 * The objects of one daemon: what is put, fetched and kept, within bounds. The bytes are the store's
 * (broker/object-store.ts), what there is of them the shelf's (shelf.ts); nobody here looks into them.
 *
 * The store is opened by the first use, and again after a failure: a start waits for no objects.
 */
export class Objects {
  readonly #options: ObjectsOptions
  readonly #uploads: Uploads
  readonly #sweeper: Timer
  #opening: Promise<Opened> | undefined
  #opened: Opened | undefined
  #downloads = 0

  constructor(options: ObjectsOptions) {
    this.#options = options
    this.#uploads = new Uploads({
      now: options.now,
      checkRoom: (bytes) => this.#checkRoom(bytes),
      giveUp: (writer) => void this.#opened?.shelf.discard(writer),
    })
    this.#sweeper = setInterval(() => void this.sweep(), OBJECT_SWEEP_MS)
    this.#sweeper.unref()
  }

  /** All objects, and the bytes that are taken, by uploads and what is about to be removed as well. */
  async list(): Promise<{ readonly objects: readonly ObjectInfo[]; readonly bytes: number }> {
    const { shelf } = await this.#open()
    return { objects: shelf.index.all(), bytes: this.#bytes }
  }

  /** Throws NOT_FOUND. */
  async info(key: string): Promise<ObjectInfo> {
    const { index } = (await this.#open()).shelf
    return index.info(index.find(key))
  }

  /** Puts what arrived in one piece. Throws OVERLOADED, UNAVAILABLE. */
  async putWhole(options: PutOptions, bytes: Uint8Array): Promise<ObjectInfo> {
    const { shelf, store } = await this.#open()
    this.#checkRoom(bytes.length)
    const writer = store.writer()
    try {
      await writer.append(bytes)
    } catch (error) {
      await shelf.discard(writer)
      throw error
    }
    return await shelf.keep(options, writer.end())
  }

  /** Begins an upload in parts; or, where the daemon has this very content, says so and is done. */
  async begin(request: UploadRequest): Promise<UploadBegun> {
    const { shelf, store } = await this.#open()
    const { type, sha256, bytes } = request
    if (bytes > OBJECT_BYTES_MAX) throw tooLarge(bytes)
    if (sha256 !== undefined) {
      const object = await shelf.hold(objectId(type, sha256), request)
      if (object !== undefined) return { object }
    }
    this.#checkRoom(bytes)
    const { id } = this.#uploads.begin(request, store.writer())
    return { upload: id, partBytesMax: OBJECT_PART_BYTES_MAX }
  }

  /** Takes the part of an upload that begins at `at`. Resolves to the bytes that are there then. */
  append(upload: string, at: number, part: Uint8Array): Promise<number> {
    return this.#uploads.append(upload, at, part)
  }

  /** Ends an upload. Throws INVALID_ARGUMENT when what arrived has another hash than `sha256`. */
  async commit(upload: string, sha256: string): Promise<ObjectInfo> {
    const { shelf } = await this.#open()
    return await this.#uploads.end(upload, async ({ options, writer }) => {
      const draft = writer.end()
      if (draft.sha256 === sha256) return await shelf.keep(options, draft)
      await shelf.discard(draft)
      const message = `the bytes that arrived have the SHA-256 ${draft.sha256}, not ${sha256}`
      throw new BunhouseError("INVALID_ARGUMENT", message)
    })
  }

  /** Legal for an upload that is over. */
  abandon(upload: string): void {
    this.#uploads.abandon(upload)
  }

  /** Throws NOT_FOUND, OVERLOADED. */
  async read(key: string): Promise<Download> {
    const { shelf, store } = await this.#open()
    const entry = shelf.index.find(key)
    if (this.#downloads >= DOWNLOADS_MAX) {
      const message = `${DOWNLOADS_MAX} downloads are underway`
      throw new BunhouseError("OVERLOADED", message, { retryAfterMs: 1_000 })
    }
    this.#downloads++
    entry.readers++
    return {
      info: shelf.index.info(entry),
      chunks: this.#chunks(store, entry),
      release: () => {
        this.#downloads--
        entry.readers--
        void shelf.garbage.collect()
      },
    }
  }

  /** Gives an object another name, in place of `from`. Throws NOT_FOUND, INVALID_ARGUMENT. */
  async rename(from: string, to: string): Promise<ObjectInfo> {
    return await (await this.#open()).shelf.rename(from, to)
  }

  /** Throws NOT_FOUND. */
  async delete(key: string): Promise<void> {
    await (await this.#open()).shelf.delete(key)
  }

  /** Removes what has expired and what was given up. Never rejects: what fails is tried again by the next sweep. */
  async sweep(): Promise<void> {
    try {
      this.#uploads.sweep()
      await (await this.#open()).shelf.sweep()
    } catch (error) {
      this.#options.log("objects not swept", { error: Bun.inspect(error) })
    }
  }

  close(): void {
    clearInterval(this.#sweeper)
  }

  /** That a content breaks off, nobody is told in words but the log. */
  async *#chunks(store: ObjectStore, { stored }: ObjectEntry): AsyncGenerator<Uint8Array> {
    try {
      yield* store.read(stored)
    } catch (error) {
      this.#options.log("object not read", { object: stored.name, error: Bun.inspect(error) })
      throw error
    }
  }

  get #bytes(): number {
    const shelf = this.#opened?.shelf
    return (shelf?.index.bytes ?? 0) + (shelf?.garbage.bytes ?? 0) + this.#uploads.bytes
  }

  #checkRoom(bytes: number): void {
    const { bytesMax } = this.#options
    if (this.#bytes + bytes <= bytesMax) return
    const message = `no room for ${bytes} bytes: the objects of this daemon take ${this.#bytes} of ${bytesMax}; delete some, or let them expire sooner`
    throw new BunhouseError("OVERLOADED", message)
  }

  async #open(): Promise<Opened> {
    if (this.#opened !== undefined) return this.#opened
    this.#opening ??= this.#load().finally(() => (this.#opening = undefined))
    return await this.#opening
  }

  async #load(): Promise<Opened> {
    const { open, now, log } = this.#options
    const problem = (line: string): void => log("object skipped", { line })
    const store = await open(problem)
    const shelf = await Shelf.open(store, { now, problem })
    this.#opened = { store, shelf }
    return this.#opened
  }
}

export interface ObjectsOptions {
  /** Opens the store; `problem` gets a line about everything that is left out. Rejects with UNAVAILABLE. */
  readonly open: (problem: (line: string) => void) => Promise<ObjectStore>
  /** All objects together. */
  readonly bytesMax: number
  /** Milliseconds of the system's clock. */
  readonly now: () => number
  readonly log: Log
}

/** Either what is there already, or where to send the parts. */
export type UploadBegun =
  { readonly object: ObjectInfo } | { readonly upload: string; readonly partBytesMax: number }

export interface Download {
  readonly info: ObjectInfo
  readonly chunks: AsyncGenerator<Uint8Array>
  /** To be called once, when the reader has ended, however it ended. */
  readonly release: () => void
}

interface Opened {
  readonly store: ObjectStore
  readonly shelf: Shelf
}
