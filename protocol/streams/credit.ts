import { BunhouseError } from "../errors.ts"
import { FrameFlag, type FrameReader, FrameType, type FrameWriter } from "../frame.ts"
import {
  STREAM_WINDOW_BYTES,
  STREAM_WINDOW_ITEMS_DEFAULT,
  STREAM_WINDOW_ITEMS_MAX,
} from "../limits.ts"

/**
 * Credit: how much more of a stream its reader is willing to hold. The streams of a call are numbered: 0 is its result,
 * the others are its arguments.
 */
export interface Credit {
  readonly items: number
  readonly bytes: number
}

export const RESULT_STREAM = 0

/** What a header field holds. */
const FIELD_MAX = 0xffff_ffff

/** Writes a credit frame; without `credit` it says that no more items are wanted. */
export function writeCredit(
  writer: FrameWriter,
  id: number,
  stream: number,
  credit?: Credit,
): void {
  const flags = credit === undefined ? FrameFlag.last : 0
  const { items, bytes } = credit ?? { items: 0, bytes: 0 }
  writer.write(
    FrameType.credit,
    flags,
    id,
    Math.min(items, FIELD_MAX),
    Math.min(bytes, FIELD_MAX),
    stream,
  )
}

/** Of the credit frame that `frame` stands on. */
export function readCredit(frame: FrameReader): CreditFrame {
  const { target: items, timeoutMs: bytes, serial: stream, flags } = frame
  return { stream, items, bytes, isLast: (flags & FrameFlag.last) !== 0 }
}

export interface CreditFrame extends Credit {
  readonly stream: number
  /** No more items are wanted. */
  readonly isLast: boolean
}

/** What an option means. Throws INVALID_ARGUMENT for what is no window. */
export function windowOf(items: number | undefined): Credit {
  const window = items ?? STREAM_WINDOW_ITEMS_DEFAULT
  if (Number.isInteger(window) && window >= 1 && window <= STREAM_WINDOW_ITEMS_MAX) {
    return { items: window, bytes: STREAM_WINDOW_BYTES }
  }
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `expected stream.window to be a whole number of items from 1 to ${STREAM_WINDOW_ITEMS_MAX}, got ${String(items)}`,
  )
}
