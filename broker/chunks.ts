import {
  DiscardPolicy,
  jetstream as jetStreamOf,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
} from "@nats-io/jetstream"
import { nanos } from "@nats-io/nats-core"
import { BunhouseError, type ErrorCode } from "../protocol/errors.ts"
import { OBJECT_CHUNK_BYTES_MAX } from "../protocol/limits.ts"
import type { StoredContent } from "../protocol/stored-content.ts"
import type { BrokerConnection } from "./connection.ts"
import { innerConnection } from "./nats-connection.ts"
import { digestOf, ObjectWriter } from "./object-writer.ts"
import { type Operate, operationsOn } from "./operations.ts"

/**
 * Contents of any length in the chunks of one of JetStream's object stores. What belongs to whom, and what is complete, is
 * kept elsewhere: in the store's own meta records (object-store.ts), or in the heads of jobs.
 *
 * Invariants:
 * CH1. Reading leaves no consumer behind in the broker, which would keep it on disk for minutes.
 * CH2. Memory holds a few chunks of a content, never more.
 */
export interface ChunkStore {
  /** Begins a content; it is complete with the writer's `end`. */
  writer(): ObjectWriter
  /**
   * The content, chunk by chunk; `name` is for messages. Throws UNAVAILABLE while the broker is away, and the store's own
   * code for what is damaged when a part of it is missing or was changed.
   */
  read(name: string, content: StoredContent): AsyncGenerator<Uint8Array>
  /** Legal for what is not there. */
  remove(nuid: string): Promise<void>
  /** Of all contents of which there is a chunk. */
  nuids(): Promise<string[]>
}

export class Chunks implements ChunkStore {
  readonly #manager: JetStreamManager
  readonly #options: ChunksOptions
  readonly #stream: string
  readonly #prefix: string

  private constructor(manager: JetStreamManager, options: ChunksOptions) {
    this.#manager = manager
    this.#options = options
    this.#stream = `OBJ_${options.bucket}`
    this.#prefix = `$O.${options.bucket}.C.`
  }

  static async open(options: ChunksOptions): Promise<Chunks> {
    const { bucket, jetstream, operate, ttlMs } = options
    return await operate(`opening the store ${bucket}`, async () => {
      const manager = await jetstream.jetstreamManager(false)
      await makeBucket(manager, bucket, ttlMs)
      return new Chunks(manager, options)
    })
  }

  writer(): ObjectWriter {
    const { jetstream, operate, messageBytesMax, what } = this.#options
    return new ObjectWriter({
      chunkBytesMax: Math.min(OBJECT_CHUNK_BYTES_MAX, messageBytesMax),
      publish: async (nuid, chunk) => {
        const subject = `${this.#prefix}${nuid}`
        await operate(`writing ${what}`, () => jetstream.publish(subject, chunk))
      },
    })
  }

  async *read(name: string, content: StoredContent): AsyncGenerator<Uint8Array> {
    const { nuid, chunks, digest } = content
    const hash = new Bun.CryptoHasher("sha256")
    let held: Uint8Array | undefined
    let seq = 1
    for (let count = 0; count < chunks; count++) {
      const query = { seq, next_by_subj: `${this.#prefix}${nuid}` }
      const chunk = await this.#options.operate(`reading ${name}`, () =>
        this.#manager.direct.getMessage(this.#stream, query),
      )
      if (chunk === null) throw this.#damaged(name, "a part of it is missing")
      seq = chunk.seq + 1
      hash.update(chunk.data)
      // The last chunk is handed out only when all of them are what was put: a reader of less knows that it has not all.
      if (held !== undefined) yield held
      held = chunk.data
    }
    if (digestOf(hash.digest("hex")) !== digest) throw this.#damaged(name, "it is not what was put")
    if (held !== undefined) yield held
  }

  async remove(nuid: string): Promise<void> {
    const filter = `${this.#prefix}${nuid}`
    const { operate, what } = this.#options
    await operate(`removing ${what}`, () => this.#manager.streams.purge(this.#stream, { filter }))
  }

  async nuids(): Promise<string[]> {
    const { operate, bucket } = this.#options
    return await operate(`reading ${bucket}`, async () => {
      const filter = { subjects_filter: `${this.#prefix}>` }
      const { state } = await this.#manager.streams.info(this.#stream, filter)
      return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(this.#prefix.length))
    })
  }

  #damaged(name: string, reason: string): BunhouseError {
    return new BunhouseError(this.#options.damaged, `reading ${name} failed: ${reason}`)
  }
}

/** Legal where it is there already. As `@nats-io/obj` would make it, which reads it; to load that takes 8 ms and 4 MB. */
async function makeBucket(
  { streams }: JetStreamManager,
  bucket: string,
  ttlMs: number | undefined,
): Promise<void> {
  const name = `OBJ_${bucket}`
  try {
    await streams.info(name)
  } catch (error) {
    const isMissing =
      error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound
    if (!isMissing) throw error
    await streams.add({
      name,
      subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
      allow_direct: true,
      allow_rollup_hdrs: true,
      discard: DiscardPolicy.New,
      max_age: ttlMs === undefined ? 0 : nanos(ttlMs),
      num_replicas: 1,
    })
  }
}

/**
 * Opens, and makes where there is none, the store of large payloads `what` ("jobs") of a daemon. With `ttlMs` the broker
 * removes what is older. Rejects with UNAVAILABLE.
 */
export async function openPayloads(
  connection: BrokerConnection,
  {
    space,
    what,
    ttlMs,
  }: { readonly space: string; readonly what: string; readonly ttlMs?: number },
): Promise<ChunkStore> {
  const inner = innerConnection(connection)
  return await Chunks.open({
    bucket: `bunhouse-${space}-${what}-payloads`,
    what: "a large payload",
    ...(ttlMs !== undefined && { ttlMs }),
    damaged: "INTERNAL",
    jetstream: jetStreamOf(inner.nats),
    operate: operationsOn(inner),
    messageBytesMax: connection.maxMessageBytes,
  })
}

export interface ChunksOptions {
  readonly bucket: string
  /** Default: for ever. */
  readonly ttlMs?: number
  /** For messages: "an object". */
  readonly what: string
  /** How the loss of a part is told. */
  readonly damaged: ErrorCode
  readonly jetstream: JetStreamClient
  readonly operate: Operate
  /** Longest message that the broker takes. */
  readonly messageBytesMax: number
}
