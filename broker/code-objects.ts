import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream"
import { type ObjectInfo, type ObjectStore, Objm } from "@nats-io/obj"
import type { Operate } from "./operations.ts"

/**
 * The code of functions, by version, in an object store: code may be longer than one message of an outside cluster.
 *
 * Invariants:
 * O1. Text is handed out only when it is, by its checksum, what was put.
 * O2. Reading leaves nothing behind in the broker. (The library reads through a consumer, which a server keeps on disk
 *     for minutes; thousands of them make its start take seconds.)
 */
export class CodeObjects {
  readonly #objects: ObjectStore
  readonly #manager: JetStreamManager
  readonly #options: CodeObjectsOptions

  private constructor(
    objects: ObjectStore,
    manager: JetStreamManager,
    options: CodeObjectsOptions,
  ) {
    this.#objects = objects
    this.#manager = manager
    this.#options = options
  }

  static async open(options: CodeObjectsOptions): Promise<CodeObjects> {
    const { bucket, jetstream, operate } = options
    return await operate(`opening the store ${bucket}`, async () => {
      const objects = await new Objm(jetstream).create(bucket)
      return new CodeObjects(objects, await jetstream.jetstreamManager(false), options)
    })
  }

  /** Legal for a version that is there; where it is damaged, this mends it. */
  async put(version: string, text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text)
    await this.#options.operate(`storing the code ${version}`, async () => {
      const old = await this.#load(version)
      if (old instanceof Buffer && old.equals(bytes)) return
      await this.#objects.putBlob({ name: version }, bytes)
    })
  }

  async get(version: string): Promise<string | undefined> {
    const { operate, problem } = this.#options
    const bytes = await operate(`reading the code ${version}`, () => this.#load(version))
    if (bytes !== "damaged") return bytes?.toString()
    problem(`the code ${version} in the store is damaged and left out`)
    return undefined
  }

  async #load(version: string): Promise<Buffer | "damaged" | undefined> {
    let info = await this.#objects.info(version)
    while (info !== null && !info.deleted) {
      const bytes = await this.#read(info)
      if (digestOf(bytes) === info.digest) return bytes // O1
      const latest = await this.#objects.info(version)
      if (latest?.nuid === info.nuid) return "damaged"
      // Put again meanwhile, which removed what was being read.
      info = latest
    }
    return undefined
  }

  /** What there is of the chunks. */
  async #read(info: ObjectInfo): Promise<Buffer> {
    const { bucket } = this.#options
    const subject = `$O.${bucket}.C.${info.nuid}`
    const chunks: Uint8Array[] = []
    for (let seq = 1; chunks.length < info.chunks;) {
      const query = { seq, next_by_subj: subject }
      const chunk = await this.#manager.direct.getMessage(`OBJ_${bucket}`, query)
      if (chunk === null) break
      chunks.push(chunk.data)
      seq = chunk.seq + 1
    }
    return Buffer.concat(chunks)
  }
}

export interface CodeObjectsOptions {
  readonly bucket: string
  readonly jetstream: JetStreamClient
  readonly operate: Operate
  /** Gets a line about code that is damaged. */
  readonly problem: (line: string) => void
}

/** As the library writes it: base64 in the alphabet for URLs, padded. */
function digestOf(bytes: Uint8Array): string {
  const base64 = new Bun.CryptoHasher("sha256").update(bytes).digest("base64")
  return `SHA-256=${base64.replaceAll("+", "-").replaceAll("/", "_")}`
}
