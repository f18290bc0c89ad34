import { PART_BYTES_MAX } from "../limits.ts"
import type { Part } from "./part.ts"

/** A payload on its way out in parts, as far as credit was granted. */
export class PartSender {
  readonly #payload: Uint8Array
  readonly #send: (part: Part) => void
  #sent = 0
  #granted = 0

  /** `send` takes the bytes before it returns. */
  constructor(payload: Uint8Array, send: (part: Part) => void) {
    this.#payload = payload
    this.#send = send
  }

  /** Says how much there is, so that somebody grants. */
  announce(): void {
    this.#send({ at: 0, total: this.#payload.length, bytes: this.#payload.subarray(0, 0) })
  }

  /** All of it was sent. */
  get isComplete(): boolean {
    return this.#sent === this.#payload.length
  }

  /** Sends what may be sent. */
  grant(bytes: number): void {
    const total = this.#payload.length
    this.#granted = Math.min(total, this.#granted + bytes)
    while (this.#sent < this.#granted) {
      const at = this.#sent
      const end = Math.min(this.#granted, at + PART_BYTES_MAX)
      this.#sent = end
      this.#send({ at, total, bytes: this.#payload.subarray(at, end) })
    }
  }
}
