import type { Names, Outcome } from "../outcome.ts"

/** A way to make a call that blocks the thread it is made on. Both ways have the same results, errors and deadlines. */
export interface BlockingCaller {
  /**
   * Returns when the call has ended. A platform failure is an outcome, like an error of the function.
   *
   * @param timeoutMs 0 for no deadline.
   */
  call(names: Names, payload: Uint8Array, timeoutMs: number): Outcome
  close(): void
}
