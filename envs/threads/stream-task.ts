import type { BunhouseError } from "../../protocol/errors.ts"
import { type FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { THREAD_STREAM_GRACE_MS } from "../../protocol/limits.ts"
import {
  type Credit,
  readCredit,
  RESULT_STREAM,
  writeCredit,
} from "../../protocol/streams/credit.ts"
import { replyFailure } from "../run-call.ts"
import type { ThreadSink } from "./pool.ts"
import type { ThreadTask } from "./pool-thread.ts"

/**
 * A call of a generator on a thread, seen from the pool: waiting ─▶ running ─▶ ended.
 *
 * Invariants:
 * SK1. The call is answered once: by the stream's end, by the thread's refusal to begin, or when the thread ends under it.
 * SK2. Credit that comes before the thread has begun is kept until it has.
 * SK3. A running stream is asked to end first, so that its `finally` runs; its thread is ended only when it does not hear
 *      within THREAD_STREAM_GRACE_MS.
 */
export class StreamTask implements ThreadTask {
  readonly id: number
  readonly target: number
  readonly batch: Buffer
  readonly logged: ThreadSink["pass"]
  readonly #parts: StreamTaskParts
  readonly #writer = new FrameWriter()
  #port: MessagePort | undefined
  #credit: Credit = { items: 0, bytes: 0 }
  #hasEnded = false
  #graceTimer: Timer | undefined

  constructor(frame: FrameReader, batch: Buffer, parts: StreamTaskParts) {
    this.id = frame.id
    this.target = frame.target
    this.batch = batch
    this.#parts = parts
    this.logged = parts.sink.pass
  }

  /** The thread is free again, or never began. */
  answered(frame: FrameReader): void {
    if (frame.type === FrameType.error) this.#end(frame)
  }

  failed(error: BunhouseError): void {
    if (this.#hasEnded) return
    this.#ended()
    replyFailure(this.#parts.sink, this.id, error)
  }

  /** What the thread says of the stream, through `port`. */
  said(frame: FrameReader, port: MessagePort): void {
    if (this.#hasEnded) return
    if (frame.type === FrameType.hello) {
      this.#port = port
      this.#sendCredit()
    } else if (frame.type === FrameType.items) {
      const { target, timeoutMs, serial } = frame
      const writer = this.#parts.sink.open(frame.end - frame.start)
      writer.copyFrom(frame, this.id, target, timeoutMs, serial)
    } else if (frame.type === FrameType.reply || frame.type === FrameType.error) {
      this.#end(frame)
    }
  }

  /** The reader of the stream wants more. */
  grant(frame: FrameReader): void {
    const { stream, items, bytes } = readCredit(frame)
    if (stream !== RESULT_STREAM) return
    this.#credit = { items: this.#credit.items + items, bytes: this.#credit.bytes + bytes }
    this.#sendCredit()
  }

  /** SK3. False when it is not running: then it is to be stopped like any other task. */
  askToEnd(): boolean {
    const port = this.#port
    if (port === undefined || this.#hasEnded) return false
    this.#writer.write(FrameType.cancel, 0, this.id, 0, 0, 0)
    this.#post(port)
    this.#graceTimer ??= setTimeout(this.#parts.stop, THREAD_STREAM_GRACE_MS)
    return true
  }

  /** SK2. */
  #sendCredit(): void {
    const port = this.#port
    const { items, bytes } = this.#credit
    if (port === undefined || items + bytes === 0) return
    this.#credit = { items: 0, bytes: 0 }
    writeCredit(this.#writer, this.id, RESULT_STREAM, { items, bytes })
    this.#post(port)
  }

  #post(port: MessagePort): void {
    const batch = this.#writer.take()
    port.postMessage(batch, [batch.buffer])
  }

  #end(frame: FrameReader): void {
    if (this.#hasEnded) return
    this.#ended()
    this.#parts.sink.open(frame.end - frame.start).copyFrom(frame, this.id, 0, 0, 0)
  }

  /** SK1. */
  #ended(): void {
    this.#hasEnded = true
    clearTimeout(this.#graceTimer)
    this.#parts.onEnd()
  }
}

export interface StreamTaskParts {
  readonly sink: ThreadSink
  /** Ends the thread that runs it. */
  readonly stop: () => void
  readonly onEnd: () => void
}
