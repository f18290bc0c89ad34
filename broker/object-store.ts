import { jetstream as jetStreamOf, type JetStreamManager, JsHeaders } from "@nats-io/jetstream"
import { headers } from "@nats-io/nats-core"
import { Fields, parseJson } from "../protocol/fields.ts"
import { OBJECT_BYTES_MAX, OBJECT_CHUNK_BYTES_MAX } from "../protocol/limits.ts"
import type { StoredContent } from "../protocol/stored-content.ts"
import { Chunks, type ChunksOptions } from "./chunks.ts"
import { forUrl, type ObjectWriter } from "./object-writer.ts"
import type { BrokerConnection } from "./connection.ts"
import { innerConnection } from "./nats-connection.ts"
import { operationsOn } from "./operations.ts"
import { reasonOf } from "./reason.ts"
import type { StoreOptions } from "./store.ts"

/**
 * The objects of a bucket in JetStream's object store, in the library's form, so that the tools of NATS can read it; but an
 * object is written before its name is known (it is the hash of the content), in requests of its own, and read in pieces,
 * none of which the library can do.
 *
 * Invariants:
 * J1. An object is there once its meta record is, and that is written when all of its chunks are.
 * J2. What a crash leaves behind is removed by the next `all`: chunks without a meta record.
 * Chunks are written and read by chunks.ts.
 */
export class ObjectStore {
  readonly #manager: JetStreamManager
  readonly #options: ObjectStoreOptions
  readonly #chunks: Chunks
  readonly #stream: string
  readonly #metas: string

  private constructor(manager: JetStreamManager, chunks: Chunks, options: ObjectStoreOptions) {
    this.#manager = manager
    this.#chunks = chunks
    this.#options = options
    this.#stream = `OBJ_${options.bucket}`
    this.#metas = `$O.${options.bucket}.M.`
  }

  static async open(options: ObjectStoreOptions): Promise<ObjectStore> {
    const chunks = await Chunks.open(options)
    return new ObjectStore(await options.jetstream.jetstreamManager(false), chunks, options)
  }

  /**
   * Every object that can be read, in the order in which they were last saved. Legal while nothing is being written only:
   * what is incomplete is removed (J2).
   */
  async all(): Promise<StoredObject[]> {
    const metas = await this.#metaSubjects()
    const objects: SavedObject[] = []
    for (let from = 0; from < metas.length; from += READ_AT_ONCE) {
      const some = metas.slice(from, from + READ_AT_ONCE)
      const found = await Promise.all(some.map((subject) => this.#meta(subject)))
      for (const object of found) if (object !== undefined) objects.push(object)
    }
    // Whose chunks a record that cannot be read stands for is not known.
    if (objects.length === metas.length) await this.#removeOrphans(objects)
    return objects.toSorted((a, b) => a.seq - b.seq)
  }

  /** Of all objects, also of those that cannot be read. */
  async names(): Promise<string[]> {
    const metas = await this.#metaSubjects()
    return metas.map((subject) => {
      return Buffer.from(subject.slice(this.#metas.length), "base64url").toString()
    })
  }

  /** Undefined where there is none, or none that can be read. */
  async find(name: string): Promise<StoredObject | undefined> {
    return await this.#meta(this.#metaSubject(name))
  }

  /** Begins to write an object; `save` makes it one, `removeChunks` gives it up. */
  writer(): ObjectWriter {
    return this.#chunks.writer()
  }

  /** Writes the meta record, in place of the one that was there under the same name. */
  async save({ name, nuid, bytes, chunks, digest, facts }: StoredObject): Promise<void> {
    const { bucket, jetstream, operate } = this.#options
    const meta = {
      name,
      bucket,
      nuid,
      size: bytes,
      chunks,
      digest,
      deleted: false,
      mtime: new Date().toISOString(),
      options: { max_chunk_size: OBJECT_CHUNK_BYTES_MAX },
      ...(facts !== undefined && { metadata: { [FACTS]: JSON.stringify(facts) } }),
    }
    const rollup = headers()
    rollup.set(JsHeaders.RollupHdr, JsHeaders.RollupValueSubject)
    await operate(`writing the record of the object ${name}`, async () => {
      await jetstream.publish(this.#metaSubject(name), JSON.stringify(meta), { headers: rollup })
    })
  }

  /** Removes the meta record; the chunks stay until `removeChunks`. Legal where there is none. */
  async forget(name: string): Promise<void> {
    await this.#purge(this.#metaSubject(name), `forgetting the object ${name}`)
  }

  async removeChunks(nuid: string): Promise<void> {
    await this.#chunks.remove(nuid)
  }

  /** The content, chunk by chunk. Throws UNAVAILABLE when a part of it is missing or was changed. */
  read(stored: Omit<StoredObject, "facts">): AsyncGenerator<Uint8Array> {
    return this.#chunks.read(`the object ${stored.name}`, stored)
  }

  async #removeOrphans(objects: readonly StoredObject[]): Promise<void> {
    const known = new Set(objects.map(({ nuid }) => nuid))
    for (const nuid of await this.#chunks.nuids()) {
      if (!known.has(nuid)) await this.removeChunks(nuid)
    }
  }

  async #meta(subject: string): Promise<SavedObject | undefined> {
    const { bucket, operate, problem } = this.#options
    const message = await operate(`reading ${bucket}`, () =>
      this.#manager.direct.getMessage(this.#stream, { last_by_subj: subject }),
    )
    if (message === null) return undefined
    try {
      return { ...readMeta(new TextDecoder().decode(message.data)), seq: message.seq }
    } catch (error) {
      problem(`the object ${subject} is left out: ${reasonOf(error)}`)
      return undefined
    }
  }

  async #metaSubjects(): Promise<string[]> {
    return await this.#options.operate(`reading ${this.#options.bucket}`, async () => {
      const filter = { subjects_filter: `${this.#metas}>` }
      const { state } = await this.#manager.streams.info(this.#stream, filter)
      return Object.keys(state.subjects ?? {})
    })
  }

  async #purge(filter: string, doing: string): Promise<void> {
    await this.#options.operate(doing, () => this.#manager.streams.purge(this.#stream, { filter }))
  }

  #metaSubject(name: string): string {
    return `${this.#metas}${forUrl(Buffer.from(name).toString("base64"))}`
  }
}

/** Opens the objects of a daemon's space. Rejects with UNAVAILABLE. */
export async function openObjects(
  connection: BrokerConnection,
  { space, problem }: StoreOptions,
): Promise<ObjectStore> {
  const inner = innerConnection(connection)
  return await ObjectStore.open({
    bucket: `bunhouse-${space}-objects`,
    what: "an object",
    damaged: "UNAVAILABLE",
    jetstream: jetStreamOf(inner.nats),
    operate: operationsOn(inner),
    messageBytesMax: connection.maxMessageBytes,
    problem,
  })
}

export interface ObjectStoreOptions extends Omit<ChunksOptions, "ttlMs"> {
  /** Gets a line about each object that is left out. */
  readonly problem: (line: string) => void
}

/** An object with its record. */
export interface StoredObject extends StoredContent {
  readonly name: string
  /** What else its owner keeps of it, if anything: plain JSON, unchecked when it is read. */
  readonly facts: unknown
}

interface SavedObject extends StoredObject {
  /** Grows with each saving. */
  readonly seq: number
}

const READ_AT_ONCE = 64
/** Key in the metadata of an object. */
const FACTS = "bunhouse"

function readMeta(text: string): StoredObject {
  const fields = new Fields("the record of an object", parseJson("the record of an object", text))
  // The library's own objects have none.
  const facts = fields.optional("metadata", (metadata) => metadata.optionalText(FACTS))
  return {
    name: fields.text("name"),
    nuid: fields.text("nuid"),
    bytes: fields.integer("size", 0, OBJECT_BYTES_MAX),
    chunks: fields.integer("chunks", 0, Number.MAX_SAFE_INTEGER),
    digest: fields.text("digest"),
    facts: facts === undefined ? undefined : parseJson("the facts of an object", facts),
  }
}
