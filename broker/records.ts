import { DeliverPolicy, type JetStreamClient } from "@nats-io/jetstream"
import { type KV, Kvm } from "@nats-io/kv"
import { Fields, parseJson } from "../protocol/fields.ts"
import { nameToken } from "../protocol/names.ts"
import type { Operate } from "./operations.ts"
import { reasonOf } from "./reason.ts"

/**
 * One key-value bucket of JSON records. A key is a path of name tokens; the record holds the real names beside the
 * value, because a token cannot be turned back into a name.
 *
 * Invariants:
 * K1. A record that cannot be read is reported and left out; it never keeps the others from being read.
 * K2. A deletion is written like any value and so survives a crash; the marks it leaves are swept by the next `all`.
 * K3. Reading leaves no consumer behind in the broker, which would keep it on disk for minutes.
 */
export class Records {
  readonly #kv: KV
  readonly #options: RecordsOptions

  private constructor(kv: KV, options: RecordsOptions) {
    this.#kv = kv
    this.#options = options
  }

  static async open(options: RecordsOptions): Promise<Records> {
    const { bucket, jetstream, operate } = options
    const kvm = new Kvm(jetstream)
    const kv = await operate(`opening the bucket ${bucket}`, () =>
      kvm.create(bucket, { history: 1 }),
    )
    return new Records(kv, options)
  }

  /** Every record that can be read, in one pass. */
  async all(): Promise<StoredRecord[]> {
    const { bucket, problem } = this.#options
    const records: StoredRecord[] = []
    const marks: Entry[] = []
    for (const entry of await this.#entries()) {
      if (entry.isMark) {
        marks.push(entry)
        continue
      }
      try {
        records.push(readRecord(entry))
      } catch (error) {
        problem(`the record ${entry.key} in ${bucket} is left out: ${reasonOf(error)}`) // K1
      }
    }
    await this.#sweep(marks)
    return records
  }

  async put(names: readonly string[], value: unknown): Promise<void> {
    const key = keyOf(names)
    const text = JSON.stringify({ names, value })
    await this.#options.operate(`writing ${key}`, () => this.#kv.put(key, text))
  }

  /** Legal for a record that is not there. */
  async delete(names: readonly string[]): Promise<void> {
    const key = keyOf(names)
    await this.#options.operate(`deleting ${key}`, () => this.#kv.delete(key))
  }

  /** All that the bucket holds: one message of each key. */
  async #entries(): Promise<Iterable<Entry>> {
    const { bucket, jetstream, operate } = this.#options
    const prefix = `$KV.${bucket}.`
    return await operate(`reading ${bucket}`, async (signal) => {
      const consumer = await jetstream.consumers.getPushConsumer(`KV_${bucket}`, {
        deliver_policy: DeliverPolicy.LastPerSubject,
      })
      const entries = new Map<string, Entry>()
      const { num_pending: count } = await consumer.info(true)
      if (count > 0) {
        const messages = await consumer.consume()
        signal.addEventListener("abort", () => messages.stop(), { once: true })
        for await (const message of messages) {
          const key = message.subject.slice(prefix.length)
          const isMark = (message.headers?.get("KV-Operation") ?? "") !== ""
          entries.set(key, { key, seq: message.seq, isMark, bytes: message.data })
          if (message.info.pending === 0) break
        }
      }
      await consumer.delete() // K3
      return entries.values()
    })
  }

  async #sweep(marks: readonly Entry[]): Promise<void> {
    const { bucket, jetstream, operate } = this.#options
    if (marks.length === 0) return
    await operate(`sweeping ${bucket}`, async () => {
      const { streams } = await jetstream.jetstreamManager(false)
      for (const { key, seq } of marks.slice(0, SWEEP_MAX)) {
        // Up to the mark and not further: the key may have been written again since.
        await streams.purge(`KV_${bucket}`, { filter: `$KV.${bucket}.${key}`, seq: seq + 1 })
      }
    })
  }
}

export interface RecordsOptions {
  readonly bucket: string
  readonly jetstream: JetStreamClient
  readonly operate: Operate
  /** Gets a line about each record that is left out. */
  readonly problem: (line: string) => void
}

export interface StoredRecord {
  /** What the record is about: an env, or an env and a function. */
  readonly names: readonly string[]
  /** Unchecked: it may have been written by another version. */
  readonly value: unknown
}

const SWEEP_MAX = 1_000

function keyOf(names: readonly string[]): string {
  return names.map(nameToken).join(".")
}

/** One message of the bucket: a record, or the mark of a deletion. */
interface Entry {
  readonly key: string
  readonly seq: number
  readonly isMark: boolean
  readonly bytes: Uint8Array
}

function readRecord(entry: Entry): StoredRecord {
  const text = new TextDecoder().decode(entry.bytes)
  const fields = new Fields("the record", parseJson("the record", text))
  const names = fields.list("names").map(String)
  if (keyOf(names) !== entry.key) throw new Error("it is about something else than its key says")
  return { names, value: fields.unknown("value") }
}
