import type { FrameReader } from "../../protocol/frame.ts"
import type { Credit } from "../../protocol/streams/credit.ts"
import type { Names, Outcome } from "../outcome.ts"

/** A way to make a call that blocks the thread it is made on. Both ways have the same results, errors and deadlines. */
export interface BlockingCaller {
  /**
   * Returns when the call has ended. A platform failure is an outcome, like an error of the function.
   */
  call(call: BlockingCall, logged: Logged): Outcome
  /** Begins a call of a generator function. Nothing is sent before the first chunk is asked for. */
  stream(call: BlockingCall, window: Credit): BlockingStream
  close(): void
}

export interface BlockingCall {
  readonly names: Names
  readonly payload: Uint8Array
  /** Of the call frame, beside what the way of calling adds. */
  readonly flags: number
  /** Metadata (protocol/extra.ts); no bytes for none. */
  readonly extra: Uint8Array
  /** Of the call that it is made in, the daemon's id. */
  readonly around: number | undefined
  /** 0 for no deadline. */
  readonly timeoutMs: number
  /** Whether lines that the function prints are wanted. They come with the answer. */
  readonly wantsLogs: boolean
}

/** Is told of each log frame, before the outcome is returned. */
export type Logged = (frame: FrameReader, bootId: string) => void

/** The items of a generator, fetched in chunks of what is there. */
export interface BlockingStream {
  /** Blocks until there is an item, or the end. Not to be asked again after the end. */
  next(): Chunk
  /** Nobody wants more. Legal at any time. */
  release(): void
}

export interface Chunk {
  /** Payloads of items frames, of whole items. */
  readonly items: readonly Uint8Array[]
  readonly end: Outcome | undefined
}

/** The call as a connection makes it. Who is blocked fires no signal. */
export function outgoing({ names, payload, flags, extra, around, timeoutMs }: BlockingCall) {
  const { env, function: fn } = names
  return { env, function: fn, payload, flags, extra, around, timeoutMs, signal: undefined }
}
