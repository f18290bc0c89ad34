import type { BunhouseError } from "../../protocol/errors.ts"

/** Thrown by a shell: the call is refused by bunhouse, and what was called has thrown nothing. */
export class Refusal extends Error {
  readonly error: BunhouseError

  constructor(error: BunhouseError) {
    super(error.message)
    this.error = error
  }
}
