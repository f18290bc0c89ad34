import { DeliverPolicy, jetstream, type JetStreamClient } from "@nats-io/jetstream"
import { Kvm } from "@nats-io/kv"
import { headers } from "@nats-io/nats-core"
import { asciiJson } from "../protocol/ascii-json.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { parseJson } from "../protocol/fields.ts"
import type { BrokerConnection } from "./connection.ts"
import { innerConnection } from "./nats-connection.ts"
import { type Operate, operationsOn } from "./operations.ts"
import { reasonOf } from "./reason.ts"

/**
 * Where jobs and schedules are kept: one key-value bucket whose entries have a head (JSON, in a header of the message)
 * and a body (bytes that nobody looks into), so that all heads can be read without a single body.
 *
 * Head and body of one `put` are one message: a crash leaves both or neither. All operations reject with UNAVAILABLE, at
 * once when the broker goes away, and may be repeated; `put` also with PAYLOAD_TOO_LARGE, where an outside broker takes
 * less than a job may hold.
 *
 * Invariants:
 * Y1. A head that cannot be read is reported and left out; it never keeps the others from being read.
 * Y2. Reading leaves no consumer behind in the broker, which would keep it on disk for minutes.
 */
export interface JobStore {
  /** Largest body that `put` takes, beside a head of any length. */
  readonly bodyBytesMax: number
  /** Every head that can be read, in the order of the last writes. */
  all(): Promise<StoredHead[]>
  /** Writes an entry, over an older one of the same key. The key is made of letters, digits, `_`, `-` and dots. */
  put(key: string, head: object, body: Uint8Array): Promise<void>
  /** Head and body of one write; undefined where there is none. Rejects with INVALID_ARGUMENT for an unreadable head. */
  entry(key: string): Promise<StoredEntry | undefined>
  /** Takes entries out, in this order. Legal for what is not there. */
  delete(keys: readonly string[]): Promise<void>
}

export interface StoredEntry {
  /** Unchecked, as in `StoredHead`. */
  readonly head: unknown
  readonly body: Uint8Array
}

export interface StoredHead {
  readonly key: string
  /** Unchecked: it may have been written by another version. */
  readonly head: unknown
  readonly bodyBytes: number
}

export async function openJobStore(
  connection: BrokerConnection,
  options: { readonly space: string; readonly problem: (line: string) => void },
): Promise<JobStore> {
  const inner = innerConnection(connection)
  const bucket = `bunhouse-${options.space}-jobs`
  const operate = operationsOn(inner)
  const client = jetstream(inner.nats)
  await operate(`opening the bucket ${bucket}`, () =>
    new Kvm(client).create(bucket, { history: 1 }),
  )
  return new Bucket({ bucket, client, operate, connection, problem: options.problem })
}

interface BucketParts {
  readonly bucket: string
  readonly client: JetStreamClient
  readonly operate: Operate
  readonly connection: BrokerConnection
  readonly problem: (line: string) => void
}

class Bucket implements JobStore {
  readonly #parts: BucketParts
  readonly #prefix: string
  readonly #stream: string

  constructor(parts: BucketParts) {
    this.#parts = parts
    this.#prefix = `$KV.${parts.bucket}.`
    this.#stream = `KV_${parts.bucket}`
  }

  get bodyBytesMax(): number {
    return Math.max(0, this.#parts.connection.maxMessageBytes - HEAD_BYTES_MAX)
  }

  async all(): Promise<StoredHead[]> {
    const { bucket, client, operate, problem } = this.#parts
    return await operate(`reading ${bucket}`, async (signal) => {
      const consumer = await client.consumers.getPushConsumer(this.#stream, {
        deliver_policy: DeliverPolicy.LastPerSubject,
        headers_only: true,
      })
      const found: StoredHead[] = []
      const { num_pending: count } = await consumer.info(true)
      if (count > 0) {
        const messages = await consumer.consume()
        signal.addEventListener("abort", () => messages.stop(), { once: true })
        for await (const message of messages) {
          const key = message.subject.slice(this.#prefix.length)
          const text = message.headers?.get(HEAD) ?? ""
          const bodyBytes = Number(message.headers?.get("Nats-Msg-Size") ?? 0)
          try {
            found.push({ key, head: parseJson("the head", text), bodyBytes })
          } catch (error) {
            problem(`the entry ${key} in ${bucket} is left out: ${reasonOf(error)}`) // Y1
          }
          if (message.info.pending === 0) break
        }
      }
      await consumer.delete() // Y2
      return found
    })
  }

  async put(key: string, head: object, body: Uint8Array): Promise<void> {
    const { client, operate, connection } = this.#parts
    const text = asciiJson(head)
    const { maxMessageBytes } = connection
    if (body.length + text.length + ENVELOPE_BYTES > maxMessageBytes) {
      throw tooLarge(body.length, maxMessageBytes)
    }
    const envelope = headers()
    envelope.set(HEAD, text)
    await operate(`writing ${key}`, () => {
      return client.publish(this.#prefix + key, body, { headers: envelope })
    })
  }

  async entry(key: string): Promise<StoredEntry | undefined> {
    const { client, operate } = this.#parts
    const query = { last_by_subj: this.#prefix + key }
    const found = await operate(`reading ${key}`, async () => {
      const { direct } = await client.jetstreamManager(false)
      return await direct.getMessage(this.#stream, query)
    })
    if (found === null) return undefined
    return { head: parseJson(`the head of ${key}`, found.header.get(HEAD)), body: found.data }
  }

  async delete(keys: readonly string[]): Promise<void> {
    const { bucket, client, operate } = this.#parts
    await operate(`deleting from ${bucket}`, async () => {
      const { direct, streams } = await client.jetstreamManager(false)
      for (const key of keys) {
        const entry = await direct.getMessage(this.#stream, { last_by_subj: this.#prefix + key })
        if (entry !== null) await streams.deleteMessage(this.#stream, entry.seq, false)
      }
    })
  }
}

/** The library gives header names no other meaning. */
const HEAD = "Bunhouse-Head"
/** What the headers' frame takes beside the head. */
const ENVELOPE_BYTES = 256
/** With its frame; heads are some hundreds of bytes. */
const HEAD_BYTES_MAX = 64 * 1024

function tooLarge(bytes: number, max: number): BunhouseError {
  const message = `${bytes} bytes cannot be kept: the broker takes messages of at most ${max}`
  return new BunhouseError("PAYLOAD_TOO_LARGE", message)
}
