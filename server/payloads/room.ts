import { BunhouseError } from "../../protocol/errors.ts"

/** Bytes in the store that several things share, up to a bound. */
export class Room {
  readonly #what: string
  readonly #bytesMax: number
  #bytes = 0

  /** `what` begins the message of a refusal: "jobs". */
  constructor(what: string, bytesMax: number) {
    this.#what = what
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Throws OVERLOADED where `bytes` more do not fit. */
  check(bytes: number): void {
    if (this.#bytes + bytes <= this.#bytesMax) return
    const message = `no room for ${bytes} bytes: ${this.#what} take ${this.#bytes} of ${this.#bytesMax}, and no more are taken now`
    throw new BunhouseError("OVERLOADED", message, { retryAfterMs: 1_000 })
  }

  /** They are there, or fewer are: what is in the store is counted in any case. */
  add(bytes: number): void {
    this.#bytes += bytes
  }
}
