import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream"
import { type ObjectInfo, type ObjectStore, Objm } from "@nats-io/obj"
import { digestOf } from "./object-writer.ts"
import type { Operate } from "./operations.ts"

/**
 * Contents by version, in an object store: the code of functions, or shipped folders. They may be longer than one message
 * of an outside cluster.
 *
 * Invariants:
 * O1. Content is handed out only when it is, by its checksum, what was put.
 * O2. Reading leaves nothing behind in the broker. (The library reads through a consumer, which a server keeps on disk
 *     for minutes; thousands of them make its start take seconds.)
 */
export class Objects {
  readonly #objects: ObjectStore
  readonly #manager: JetStreamManager
  readonly #options: ObjectsOptions

  private constructor(objects: ObjectStore, manager: JetStreamManager, options: ObjectsOptions) {
    this.#objects = objects
    this.#manager = manager
    this.#options = options
  }

  static async open(options: ObjectsOptions): Promise<Objects> {
    const { bucket, jetstream, operate } = options
    return await operate(`opening the store ${bucket}`, async () => {
      const objects = await new Objm(jetstream).create(bucket)
      return new Objects(objects, await jetstream.jetstreamManager(false), options)
    })
  }

  /** Legal for a version that is there; where it is damaged, this mends it. */
  async put(version: string, content: string | Uint8Array): Promise<void> {
    const bytes = typeof content === "string" ? Buffer.from(content) : content
    const { operate, what } = this.#options
    await operate(`storing the ${what} ${version}`, async () => {
      const old = await this.#load(version)
      if (old instanceof Buffer && old.equals(bytes)) return
      await this.#objects.putBlob({ name: version }, bytes)
    })
  }

  async get(version: string): Promise<Buffer | undefined> {
    const { operate, problem, what } = this.#options
    const bytes = await operate(`reading the ${what} ${version}`, () => this.#load(version))
    if (bytes !== "damaged") return bytes
    problem(`the ${what} ${version} in the store is damaged and left out`)
    return undefined
  }

  /** Deletes every other version, and the marks that deletions leave. */
  async keep(versions: ReadonlySet<string>): Promise<void> {
    const { operate, bucket } = this.#options
    const stream = `OBJ_${bucket}`
    const prefix = `$O.${bucket}.M.`
    await operate(`sweeping ${bucket}`, async () => {
      const { streams } = this.#manager
      const { state } = await streams.info(stream, { subjects_filter: `${prefix}>` }) // O2
      for (const subject of Object.keys(state.subjects ?? {})) {
        const version = Buffer.from(subject.slice(prefix.length), "base64url").toString()
        if (versions.has(version)) continue
        await this.#objects.delete(version)
        await streams.purge(stream, { filter: subject })
      }
    })
  }

  async #load(version: string): Promise<Buffer | "damaged" | undefined> {
    let info = await this.#objects.info(version)
    while (info !== null && !info.deleted) {
      const bytes = await this.#read(info)
      if (digestOf(sha256Of(bytes)) === info.digest) return bytes // O1
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

export interface ObjectsOptions {
  readonly bucket: string
  /** For messages: "code". */
  readonly what: string
  readonly jetstream: JetStreamClient
  readonly operate: Operate
  /** Gets a line about content that is damaged. */
  readonly problem: (line: string) => void
}

function sha256Of(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex")
}
