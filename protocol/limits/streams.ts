/** Streams: windows, batches, and the time that generators get. A part of ../limits.ts. */
import { KIB, MIB } from "./units.ts"

/** What a stream may send before its reader has taken any of it: items (an option), and bytes of items beside one. */
export const STREAM_WINDOW_ITEMS_DEFAULT = 16_384
export const STREAM_WINDOW_ITEMS_MAX = 1 << 20
export const STREAM_WINDOW_BYTES = 4 * MIB

/** Items of a stream leave together once there are so many, or so many bytes, or at the end of the tick. */
export const STREAM_BATCH_ITEMS = 4_096
export const STREAM_BATCH_BYTES = 64 * KIB

/** For so long generators that never wait may keep an event loop from everything else. */
export const STREAM_SLICE_MS = 2

/** Time that a generator on a thread gets to end when nobody wants more of it, before its thread is ended. */
export const THREAD_STREAM_GRACE_MS = 1_000

/** Streams among the arguments of one call. */
export const STREAMED_ARGUMENTS_MAX = 64

/** Streams that are fetched chunk by chunk over HTTP: how many at a time, and how long one waits for its reader. */
export const STREAM_SESSIONS_MAX = 4_096
export const STREAM_SESSION_IDLE_MS = 5 * 60_000
