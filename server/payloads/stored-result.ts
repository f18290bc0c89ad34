import { asBunhouseError, BunhouseError } from "../../protocol/errors.ts"
import type { FrameReader } from "../../protocol/frame.ts"
import { ENV_PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { readPart } from "../../protocol/parts/part.ts"
import type { StoredContent } from "../../protocol/stored-content.ts"
import type { Call } from "../calls/call.ts"
import { grantParts } from "../calls/flow.ts"
import type { PayloadWriter } from "./payload-writer.ts"
import type { StoredPayloads } from "./stored-payloads.ts"

/**
 * The result of a call that comes in parts, on its way into the store. Credit is granted again only for what the store
 * has, so that the daemon holds no more than a window of it.
 */
export class StoredResult {
  readonly #parts: StoredResultParts
  #received = 0
  #total: number | undefined
  #writer: PayloadWriter | undefined
  /** Settles when all that came is written. */
  #written: Promise<void> = Promise.resolve()
  #isOver = false

  constructor(parts: StoredResultParts) {
    this.#parts = parts
  }

  /** Takes in the part that `frame` stands on. */
  add(frame: FrameReader): void {
    const { at, total, bytes } = readPart(frame)
    const isFirst = this.#total === undefined
    this.#total ??= total
    const isFitting = at === this.#received && total === this.#total
    this.#received += bytes.length
    const copy = new Uint8Array(bytes)
    this.#then(async () => {
      if (!isFitting || total > ENV_PAYLOAD_BYTES_MAX) throw notFitting(at, total)
      if (isFirst) await this.#begin(total)
      await this.#writer?.append(copy)
      if (copy.length > 0) grantParts(this.#parts.call, copy.length)
    })
  }

  /** The reply is there: settles with what the store has of the result. */
  async finish(): Promise<StoredContent> {
    await this.#written
    if (this.#writer === undefined) throw notFitting(this.#received, this.#total ?? 0)
    return this.#writer.finish()
  }

  /** Nobody wants it. */
  giveUp(): void {
    this.#isOver = true
    void this.#written.catch(() => {}).then(() => this.#writer?.giveUp())
  }

  async #begin(total: number): Promise<void> {
    const { payloads, call } = this.#parts
    this.#writer = await payloads.begin(total)
    grantParts(call, payloads.windowBytes)
  }

  #then(step: () => Promise<void>): void {
    this.#written = this.#written.then(() => (this.#isOver ? undefined : step()))
    this.#written.catch((cause: unknown) => {
      if (this.#isOver) return
      this.#isOver = true
      const { code, message } = asBunhouseError(cause, "keeping the result")
      const { address } = this.#parts.call.route
      const text = `${address}: the result cannot be kept: ${message}`
      this.#parts.failed(new BunhouseError(code, text, { ran: "yes", cause }))
    })
  }
}

export interface StoredResultParts {
  readonly payloads: StoredPayloads
  readonly call: Call
  /** The result cannot be kept: nothing more of it is taken. */
  readonly failed: (error: BunhouseError) => void
}

function notFitting(at: number, total: number): BunhouseError {
  const message = `a part of a result does not fit: it begins at ${at} of ${total}`
  return new BunhouseError("PROTOCOL_ERROR", message)
}
