import type { ObjectWriter } from "../../broker/object-writer.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import {
  OBJECT_BYTES_MAX,
  OBJECT_PART_BYTES_MAX,
  UPLOAD_IDLE_MS_MAX,
  UPLOADS_MAX,
} from "../../protocol/limits.ts"
import { type PutOptions, tooLarge } from "../../protocol/object.ts"

/** Content on its way in. */
export interface Upload {
  readonly id: string
  readonly options: PutOptions
  readonly writer: ObjectWriter
  lastUsedAt: number
  /** A request is at work on it. */
  isBusy: boolean
  isAbandoned: boolean
}

/**
 * The uploads that are underway. Each is one writer in the store, filled by one request after another.
 *
 * Invariants:
 * Y1. Parts arrive in order: a part says where it begins, and any other place than the end of what is there is refused.
 * Y2. An upload that stands still, fails or is over a limit is given up, and its chunks are removed.
 */
export class Uploads {
  readonly #options: UploadsOptions
  readonly #byId = new Map<string, Upload>()

  constructor(options: UploadsOptions) {
    this.#options = options
  }

  /** Bytes of uploads that are underway. */
  get bytes(): number {
    let bytes = 0
    for (const { writer } of this.#byId.values()) bytes += writer.bytes
    return bytes
  }

  /** Throws OVERLOADED. */
  begin(options: PutOptions, writer: ObjectWriter): Upload {
    if (this.#byId.size >= UPLOADS_MAX) {
      throw new BunhouseError("OVERLOADED", `${UPLOADS_MAX} uploads are underway`, {
        retryAfterMs: RETRY_MS,
      })
    }
    const lastUsedAt = this.#options.now()
    const id = crypto.randomUUID()
    const upload = { id, options, writer, lastUsedAt, isBusy: false, isAbandoned: false }
    this.#byId.set(upload.id, upload)
    return upload
  }

  /** Writes the next part. Throws INVALID_ARGUMENT, PAYLOAD_TOO_LARGE, OVERLOADED, UNAVAILABLE. */
  async append(id: string, at: number, part: Uint8Array): Promise<number> {
    return await this.#use(id, async ({ writer }) => {
      if (at !== writer.bytes) {
        const message = `expected the part that begins at ${writer.bytes}, got one at ${at}`
        throw new BunhouseError("INVALID_ARGUMENT", message) // Y1
      }
      if (part.length > OBJECT_PART_BYTES_MAX) throw partTooLarge(part.length)
      await this.#write(id, writer, part)
      return writer.bytes
    })
  }

  /** Ends an upload with what `finish` makes of it; it is over then, whatever came of it. */
  async end<T>(id: string, finish: (upload: Upload) => Promise<T>): Promise<T> {
    return await this.#use(id, async (upload) => {
      this.#byId.delete(id)
      return await finish(upload)
    })
  }

  /** Legal for an upload that is over. */
  abandon(id: string): void {
    const upload = this.#byId.get(id)
    if (upload === undefined) return
    this.#byId.delete(id)
    // What is being written now ends first.
    if (upload.isBusy) upload.isAbandoned = true
    else this.#options.giveUp(upload.writer)
  }

  /** Gives up what stands still. */
  sweep(): void {
    const since = this.#options.now() - UPLOAD_IDLE_MS_MAX
    for (const { id, isBusy, lastUsedAt } of this.#byId.values()) {
      if (!isBusy && lastUsedAt <= since) this.abandon(id)
    }
  }

  async #write(id: string, writer: ObjectWriter, part: Uint8Array): Promise<void> {
    try {
      const bytes = writer.bytes + part.length
      if (bytes > OBJECT_BYTES_MAX) throw tooLarge(bytes)
      this.#options.checkRoom(part.length)
      await writer.append(part)
    } catch (error) {
      this.#byId.delete(id)
      this.#options.giveUp(writer)
      throw error
    }
  }

  async #use<T>(id: string, work: (upload: Upload) => Promise<T>): Promise<T> {
    const upload = this.#byId.get(id)
    if (upload === undefined) {
      const message = `there is no upload ${JSON.stringify(id)}: it ended, or stood still for ${UPLOAD_IDLE_MS_MAX} ms`
      throw new BunhouseError("NOT_FOUND", message)
    }
    if (upload.isBusy) {
      const message = "another request is at work on this upload"
      throw new BunhouseError("UNAVAILABLE", message, { retryAfterMs: RETRY_MS })
    }
    upload.isBusy = true
    try {
      return await work(upload)
    } finally {
      upload.isBusy = false
      upload.lastUsedAt = this.#options.now()
      if (upload.isAbandoned) this.#options.giveUp(upload.writer)
    }
  }
}

export interface UploadsOptions {
  readonly now: () => number
  /** Throws OVERLOADED when there is no room for `bytes` more. */
  readonly checkRoom: (bytes: number) => void
  /** Removes what was written. */
  readonly giveUp: (writer: ObjectWriter) => void
}

const RETRY_MS = 1_000

function partTooLarge(bytes: number): BunhouseError {
  const message = `a part of ${bytes} bytes is over the limit of ${OBJECT_PART_BYTES_MAX}`
  return new BunhouseError("PAYLOAD_TOO_LARGE", message)
}
