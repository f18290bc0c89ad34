import { decodeErrorRecord } from "../../protocol/errors.ts"
import { FrameFlag, type FrameReader, FrameType } from "../../protocol/frame.ts"
import { isOfAnother } from "../../protocol/origin.ts"
import type { StoredContent } from "../../protocol/stored-content.ts"
import type { Call } from "../calls/call.ts"
import type { Fingerprint } from "./asker.ts"
import { batchOf } from "./frames.ts"
import type { CallEnd } from "./keyed-call.ts"

/** How a call with an idempotency key ended. */
export interface RecordedOutcome {
  /** Of the arguments. */
  readonly fingerprint: Fingerprint
  /** The reply or error frame, as a batch. */
  readonly batch: Uint8Array
  /** For its serial. */
  readonly call: Call
  /** The result, where it is too large for a frame. */
  readonly content?: StoredContent
}

/**
 * Outcomes for a while, bounded in number, in bytes of memory and in bytes in the store: where there is no room for one,
 * the oldest go. What is too old is taken away when the next one comes or is asked for; meanwhile the bounds hold.
 */
export class Outcomes {
  readonly #options: OutcomesOptions
  /** In the order in which they expire. */
  readonly #kept = new Map<string, RecordedOutcome & { readonly expiresAt: number }>()
  #bytes = 0
  #storedBytes = 0

  constructor(options: OutcomesOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#kept.size
  }

  get(id: string): RecordedOutcome | undefined {
    this.#expire()
    return this.#kept.get(id)
  }

  add(id: string, outcome: RecordedOutcome): void {
    this.#expire()
    this.#remove(id)
    const { bytesMax, storedBytesMax, countMax, ttlMs, now } = this.#options
    const { batch, content } = outcome
    const stored = content?.bytes ?? 0
    if (batch.length > bytesMax) return
    for (const oldest of this.#kept.keys()) {
      const hasRoom =
        this.#kept.size < countMax &&
        this.#bytes + batch.length <= bytesMax &&
        this.#storedBytes + stored <= storedBytesMax
      if (hasRoom) break
      this.#remove(oldest)
    }
    this.#kept.set(id, { ...outcome, expiresAt: now() + ttlMs })
    this.#bytes += batch.length
    this.#storedBytes += stored
  }

  #expire(): void {
    const time = this.#options.now()
    for (const [id, { expiresAt }] of this.#kept) {
      if (expiresAt > time) return
      this.#remove(id)
    }
  }

  #remove(id: string): void {
    const outcome = this.#kept.get(id)
    if (outcome === undefined) return
    this.#kept.delete(id)
    this.#bytes -= outcome.batch.length
    if (outcome.content === undefined) return
    this.#storedBytes -= outcome.content.bytes
    this.#options.drop(outcome.content)
  }
}

interface OutcomesOptions {
  readonly ttlMs: number
  readonly countMax: number
  readonly bytesMax: number
  readonly storedBytesMax: number
  /** Monotonic, ms. */
  readonly now: () => number
  /** The store need not keep it any more. */
  readonly drop: (content: StoredContent) => void
}

/** Undefined for an end that is not recorded: the function did not run, or that is not known. */
export function outcomeOf(fingerprint: Fingerprint, end: CallEnd): RecordedOutcome | undefined {
  if ("error" in end || fingerprint.digest === undefined || !hasRun(end.frame)) return undefined
  const { call, frame, content } = end
  return { fingerprint, batch: batchOf(frame), call, ...(content !== undefined && { content }) }
}

function hasRun(frame: FrameReader): boolean {
  if (isOfAnother(frame.extra)) return false
  if (frame.type === FrameType.reply || (frame.flags & FrameFlag.thrown) !== 0) return true
  return decodeErrorRecord(frame.payload).ran === "yes"
}
