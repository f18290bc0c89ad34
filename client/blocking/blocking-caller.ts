import type { FrameReader } from "../../protocol/frame.ts"
import type { Names, Outcome } from "../outcome.ts"

/** A way to make a call that blocks the thread it is made on. Both ways have the same results, errors and deadlines. */
export interface BlockingCaller {
  /**
   * Returns when the call has ended. A platform failure is an outcome, like an error of the function.
   */
  call(call: BlockingCall, logged: Logged): Outcome
  close(): void
}

export interface BlockingCall {
  readonly names: Names
  readonly payload: Uint8Array
  /** Metadata (protocol/extra.ts); no bytes for none. */
  readonly extra: Uint8Array
  /** 0 for no deadline. */
  readonly timeoutMs: number
  /** Whether lines that the function prints are wanted. They come with the answer. */
  readonly wantsLogs: boolean
}

/** Is told of each log frame, before the outcome is returned. */
export type Logged = (frame: FrameReader, bootId: string) => void
