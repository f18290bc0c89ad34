import { BunhouseError } from "../../protocol/errors.ts"
import { type FrameReader, FrameType, type FrameWriter } from "../../protocol/frame.ts"
import {
  STREAM_SESSION_IDLE_MS,
  STREAM_SESSIONS_MAX,
  STREAM_WINDOW_BYTES,
  STREAM_WINDOW_ITEMS_MAX,
} from "../../protocol/limits.ts"
import { ChunkBuffer, type Taken } from "../../protocol/streams/chunk.ts"
import type { Credit } from "../../protocol/streams/credit.ts"
import type { Call, Caller } from "../calls/call.ts"
import type { CallDesk } from "../calls/call-desk.ts"
import { grant } from "../calls/flow.ts"
import type { FunctionRoute } from "../calls/route.ts"

/**
 * Streams that are fetched chunk by chunk with one HTTP request each: what blocking iteration uses.
 *
 * Invariants:
 * SS1. A session holds at most a window of items, and is there until its end was fetched, it was released, a request for
 *      a chunk was given up, or nobody has come for STREAM_SESSION_IDLE_MS.
 * SS2. One request at a time fetches from a session.
 */
export class StreamSessions {
  readonly #sessions = new Map<string, Session>()

  /**
   * Makes the call that `frame` stands on at `desk`, and fetches the first chunk into `writer`, under the call's id.
   */
  async open(options: {
    readonly desk: CallDesk
    readonly route: FunctionRoute
    readonly frame: FrameReader
    /** What the caller grants with the call. */
    readonly credit: Credit
    readonly signal: AbortSignal
    readonly writer: FrameWriter
  }): Promise<void> {
    const { desk, route, frame, credit, signal, writer } = options
    if (this.#sessions.size >= STREAM_SESSIONS_MAX) {
      const message = `${STREAM_SESSIONS_MAX} streams are being fetched, and no more are taken now`
      throw new BunhouseError("OVERLOADED", message, { retryAfterMs: 1_000 })
    }
    const key = crypto.randomUUID()
    const window = bounded(credit)
    const session = new Session(frame.id, desk, window, () => this.#sessions.delete(key))
    session.begin(frame, route)
    this.#sessions.set(key, session)
    const name = Buffer.from(JSON.stringify({ stream: key }))
    const { isLast } = await session.fetch(writer, signal)
    if (!isLast) writer.write(FrameType.bind, 0, 0, 0, 0, 0, name)
  }

  /** Fetches the next chunk. Throws NOT_FOUND. */
  async next(key: string, signal: AbortSignal, writer: FrameWriter): Promise<void> {
    const session = this.#sessions.get(key)
    if (session !== undefined) return void (await session.fetch(writer, signal))
    const message = `there is no such stream: it has ended, or nobody fetched from it for ${STREAM_SESSION_IDLE_MS} ms`
    throw new BunhouseError("NOT_FOUND", message, { ran: "maybe" })
  }

  /** Legal for a stream that has ended. */
  release(key: string): void {
    this.#sessions.get(key)?.close()
  }
}

class Session implements Caller {
  readonly #id: number
  readonly #desk: CallDesk
  readonly #forget: () => void
  readonly #window: Credit
  readonly #buffer: ChunkBuffer
  #call: Call | undefined
  #idleTimer: Timer | undefined
  #isFetched = false

  constructor(id: number, desk: CallDesk, window: Credit, forget: () => void) {
    this.#id = id
    this.#desk = desk
    this.#window = window
    this.#buffer = new ChunkBuffer(window.bytes)
    this.#forget = forget
  }

  begin(frame: FrameReader, route: FunctionRoute): void {
    this.#call = this.#desk.submit(this, frame, route)
    if (this.#call !== undefined) grant(this.#call, this.#window)
  }

  /** SS2. */
  async fetch(writer: FrameWriter, signal: AbortSignal): Promise<Taken> {
    if (this.#isFetched) {
      throw new BunhouseError("INVALID_ARGUMENT", "a chunk of this stream is being fetched already")
    }
    clearTimeout(this.#idleTimer)
    this.#isFetched = true
    const close = () => this.close()
    signal.addEventListener("abort", close, { once: true })
    if (signal.aborted) close()
    await this.#buffer.filled()
    signal.removeEventListener("abort", close)
    this.#isFetched = false
    const taken = this.#buffer.take(writer, this.#id)
    if (taken.isLast) this.#forget()
    else this.#wait(taken.credit)
    return taken
  }

  /** The reader has gone with a chunk, and comes back for another. */
  #wait(credit: Credit): void {
    if (this.#call !== undefined) grant(this.#call, credit)
    this.#idleTimer = setTimeout(() => this.close(), STREAM_SESSION_IDLE_MS)
    this.#idleTimer.unref()
  }

  close(): void {
    clearTimeout(this.#idleTimer)
    this.#forget()
    if (this.#call !== undefined) this.#desk.cancel(this.#call)
    this.#call = undefined
    this.#buffer.fail(new BunhouseError("CANCELLED", "the stream was released"), 0)
  }

  deliver(_callerId: number, frame: FrameReader, { serial }: Call): void {
    this.#call = undefined
    this.#buffer.end(frame, serial)
  }

  fail(_callerId: number, error: BunhouseError, { serial }: Call): void {
    this.#call = undefined
    this.#buffer.fail(error, serial)
  }

  log(): void {
    // Blocking iteration does not ask for lines.
  }

  flow(_callerId: number, frame: FrameReader): void {
    if (frame.type === FrameType.items && !this.#buffer.add(frame)) this.close()
  }
}

/** SS1: whatever the caller grants. */
function bounded({ items, bytes }: Credit): Credit {
  return {
    items: Math.min(items, STREAM_WINDOW_ITEMS_MAX),
    bytes: Math.min(bytes, STREAM_WINDOW_BYTES),
  }
}
