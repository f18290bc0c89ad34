import { now, remainingMs } from "../protocol/deadlines.ts"
import { asBunhouseError, BunhouseError } from "../protocol/errors.ts"
import { FrameFlag, type FrameReader, FrameType } from "../protocol/frame.ts"
import { PAYLOAD_BYTES_MAX } from "../protocol/limits.ts"
import type { Outbox } from "../protocol/outbox.ts"
import { type AssembledHead, FrameAssembly } from "../protocol/parts/frame-assembly.ts"
import { PARTS_STREAM, readPart, writePart } from "../protocol/parts/part.ts"
import { PartSender } from "../protocol/parts/part-sender.ts"
import { writeCredit } from "../protocol/streams/credit.ts"
import { replyFailure } from "./run-call.ts"
import type { ThreadSink } from "./threads/pool.ts"
import type { UnreadyCalls } from "./unready-calls.ts"

/**
 * What is too large for one message: arguments that arrive at this process, and results that leave it, in parts. It is
 * where the results of this process go, small ones too.
 *
 * Invariants:
 * LP1. A call whose arguments arrive runs once they are complete. Until then it is answered here: when it is cancelled,
 *      or when what arrives cannot be read.
 * LP2. A call whose result leaves is answered by the reply behind the last part, or by an error when nobody wants it any
 *      more. Until then it occupies its place.
 */
export class LargePayloads implements ThreadSink {
  readonly resultBytesMax: number
  readonly #outbox: Outbox
  readonly #unready: UnreadyCalls
  readonly #arriving = new Map<number, Arriving>()
  readonly #leaving = new Map<number, Leaving>()

  constructor({ outbox, unready, bytesMax }: LargePayloadsParts) {
    this.#outbox = outbox
    this.#unready = unready
    this.resultBytesMax = bytesMax
  }

  readonly open = (bytes: number) => this.#outbox.open(bytes)

  readonly pass = ({ bytes, start, end }: FrameReader): void => {
    this.open(end - start).append(bytes.subarray(start, end))
  }

  readonly result = (id: number, flags: number, payload: Uint8Array): void => {
    if (payload.length <= PAYLOAD_BYTES_MAX) {
      this.open(payload.length).write(FrameType.reply, flags, id, 0, 0, 0, payload)
      return
    }
    const sender = new PartSender(payload, (part) => {
      writePart(this.open(part.bytes.length), id, part)
    })
    this.#leaving.set(id, { sender, flags })
    sender.announce()
  }

  /** A call whose arguments come in parts. */
  begin(call: FrameReader): void {
    const { id, flags, target, timeoutMs, serial } = call
    const assembly = new FrameAssembly({
      extra: new Uint8Array(call.extra),
      bytesMax: this.resultBytesMax,
      others: () => this.#arriving.size - 1,
      grant: (bytes) => writeCredit(this.open(0), id, PARTS_STREAM, { items: 0, bytes }),
    })
    const dueAt = timeoutMs === 0 ? Number.POSITIVE_INFINITY : now() + timeoutMs
    const head = { type: FrameType.call, flags, id, target, serial }
    this.#arriving.set(id, { assembly, head, dueAt })
    this.#unready.add(id)
    assembly.grant()
  }

  /** Legal for a call that has ended, or was never here. */
  part(frame: FrameReader): void {
    const { id } = frame
    const arriving = this.#arriving.get(id)
    if (arriving === undefined) return
    const { assembly, head, dueAt } = arriving
    try {
      if (!assembly.add(readPart(frame))) return
      this.#arriving.delete(id)
      this.#unready.ready(assembly.finish({ ...head, timeoutMs: remainingMs(dueAt) }))
    } catch (cause) {
      this.#arriving.delete(id)
      this.#unready.delete(id)
      const { code, message } = asBunhouseError(cause, "reading the arguments")
      replyFailure(this, id, new BunhouseError(code, message, { ran: "no", cause }))
    }
  }

  /** More of a result may leave. */
  credit(id: number, bytes: number): void {
    const leaving = this.#leaving.get(id)
    leaving?.sender.grant(bytes)
    if (leaving?.sender.isComplete !== true) return
    this.#leaving.delete(id)
    this.open(0).write(FrameType.reply, leaving.flags | FrameFlag.parts, id, 0, 0, 0)
  }

  /** Legal for a call that has ended, or was never here. */
  cancel(id: number): void {
    if (this.#arriving.delete(id)) {
      this.#unready.delete(id)
      replyFailure(this, id, cancelled("no")) // LP1
    }
    if (this.#leaving.delete(id)) replyFailure(this, id, cancelled("yes")) // LP2
  }

  /** Nobody waits for any of it. */
  dropAll(): void {
    this.#arriving.clear()
    this.#leaving.clear()
  }
}

export interface LargePayloadsParts {
  readonly outbox: Outbox
  /** Takes calls whose arguments have arrived. */
  readonly unready: UnreadyCalls
  /** Of arguments, and of a result. */
  readonly bytesMax: number
}

interface Arriving {
  readonly assembly: FrameAssembly
  readonly head: Omit<AssembledHead, "timeoutMs">
  /** On the monotonic clock. */
  readonly dueAt: number
}

interface Leaving {
  readonly sender: PartSender
  /** Of the reply. */
  readonly flags: number
}

function cancelled(ran: "no" | "yes"): BunhouseError {
  return new BunhouseError("CANCELLED", "the call was cancelled", { ran })
}
