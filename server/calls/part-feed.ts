import type { BunhouseError } from "../../protocol/errors.ts"
import { PART_BYTES_MAX } from "../../protocol/limits.ts"
import type { Part } from "../../protocol/parts/part.ts"
import { nextBytes, type OpenPayload } from "./open-payload.ts"

/**
 * A payload on its way from where it is read to where it is wanted, in parts: read only as far as credit was granted.
 *
 * Invariant:
 * PF1. When it has failed or is stopped, nobody reads the body any more.
 */
export class PartFeed {
  readonly #payload: OpenPayload
  readonly #to: PartTaker
  #chunk: Uint8Array
  #at = 0
  #granted = 0
  #isPumping = false
  #isOver = false

  constructor(payload: OpenPayload, to: PartTaker) {
    this.#payload = payload
    this.#to = to
    this.#chunk = payload.first
  }

  /** More may be sent. Legal when nothing is left to send. */
  grant(bytes: number): void {
    this.#granted = Math.min(this.#payload.total, this.#granted + bytes)
    if (!this.#isPumping) void this.#pump()
  }

  /** Nothing more is sent, and nothing said. Legal at any time. */
  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#chunk = NOTHING
    void this.#payload.body.cancel()
  }

  /** Never rejects. */
  async #pump(): Promise<void> {
    const { body, broken } = this.#payload
    this.#isPumping = true
    try {
      while (!this.#isOver && this.#at < this.#granted) {
        if (this.#chunk.length === 0) this.#chunk = await nextBytes(body)
        else this.#send()
      }
    } catch (cause) {
      if (!this.#isOver) this.#to.failed(broken(this.#at, cause))
      this.stop()
    }
    this.#isPumping = false
  }

  #send(): void {
    const at = this.#at
    const { total } = this.#payload
    const end = Math.min(this.#granted - at, PART_BYTES_MAX)
    const bytes = this.#chunk.subarray(0, end)
    this.#chunk = this.#chunk.subarray(end)
    this.#at += bytes.length
    this.#to.part({ at, total, bytes })
    if (this.#at === total) this.#to.sent?.()
  }
}

/** Where a payload is wanted. */
export interface PartTaker {
  /** Takes the bytes before it returns. */
  part(part: Part): void
  /** Called once, behind the last part. */
  sent?(): void
  /** Called once: what is missing will not come. */
  failed(error: BunhouseError): void
}

const NOTHING = new Uint8Array(0)
