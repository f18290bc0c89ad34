import type { StoredContent } from "../protocol/stored-content.ts"

/**
 * Writes the content of one object, chunk by chunk, and hashes it on the way. A few chunks are on their way at a time; the
 * store keeps them in the order in which they were sent.
 */
export class ObjectWriter {
  /** Names the chunks. */
  readonly nuid: string = crypto.randomUUID().replaceAll("-", "")
  readonly #options: ObjectWriterOptions
  readonly #hash = new Bun.CryptoHasher("sha256")
  #bytes = 0
  #chunks = 0

  constructor(options: ObjectWriterOptions) {
    this.#options = options
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** One at a time. After a rejection the object is incomplete and must be given up. */
  async append(bytes: Uint8Array): Promise<void> {
    const { chunkBytesMax, publish } = this.#options
    const underway: Promise<void>[] = []
    try {
      for (let from = 0; from < bytes.length; from += chunkBytesMax) {
        const chunk = bytes.subarray(from, from + chunkBytesMax)
        this.#hash.update(chunk)
        if (underway.length >= CHUNKS_UNDERWAY_MAX) await underway.shift()
        const sent = publish(this.nuid, chunk)
        sent.catch(() => {}) // Looked at below, perhaps after another one.
        underway.push(sent)
        this.#chunks++
        this.#bytes += chunk.length
      }
      await Promise.all(underway)
    } catch (error) {
      // What is still on its way must have ended before the chunks are removed.
      await Promise.allSettled(underway)
      throw error
    }
  }

  /** What was written. Nothing can be appended afterwards. */
  end(): StoredContent & { readonly sha256: string } {
    const sha256 = this.#hash.digest("hex")
    const digest = digestOf(sha256)
    return { nuid: this.nuid, bytes: this.#bytes, chunks: this.#chunks, digest, sha256 }
  }
}

export interface ObjectWriterOptions {
  readonly chunkBytesMax: number
  /** Resolves when the store has the chunk. */
  readonly publish: (nuid: string, chunk: Uint8Array) => Promise<void>
}

/** A SHA-256 in hexadecimal digits, as the library writes it. */
export function digestOf(sha256: string): string {
  return `SHA-256=${forUrl(Buffer.from(sha256, "hex").toString("base64"))}`
}

/** Base64 in the alphabet for URLs, padded. */
export function forUrl(base64: string): string {
  return base64.replaceAll("+", "-").replaceAll("/", "_")
}

const CHUNKS_UNDERWAY_MAX = 4
