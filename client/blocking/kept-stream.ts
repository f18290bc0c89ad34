import { FrameFlag, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { ChunkBuffer } from "../../protocol/streams/chunk.ts"
import { type Credit, RESULT_STREAM, writeCredit } from "../../protocol/streams/credit.ts"
import type { Connection } from "../connection/connection.ts"
import type { PendingCall } from "../connection/pending.ts"
import { type BlockingCall, outgoing } from "./blocking-caller.ts"

/** A stream that a connection keeps for somebody who is blocked while he fetches it, chunk by chunk. */
export class KeptStream {
  readonly #connection: Connection
  readonly #buffer = new ChunkBuffer()
  readonly #pending: PendingCall | undefined
  #bootId: string | undefined

  constructor(connection: Connection, call: BlockingCall, window: Credit) {
    const buffer = this.#buffer
    this.#connection = connection
    this.#pending = connection.call({
      ...outgoing(call),
      flow: {
        flags: FrameFlag.stream,
        window,
        received: (frame) => {
          if (frame.type === FrameType.items) buffer.add(frame)
        },
      },
      logged: undefined,
      replied: (frame, _callId, bootId) => {
        this.#bootId = bootId
        buffer.end(frame, frame.serial)
      },
      failed: (error) => buffer.fail(error, 0),
    })
  }

  get isFilled(): boolean {
    return this.#buffer.isFilled
  }

  /** Resolves when there is something to take. One at a time. */
  filled(): Promise<void> {
    return this.#buffer.filled()
  }

  /** What has arrived, and room for more of it. */
  take(): KeptChunk {
    const writer = new FrameWriter()
    const { credit, isLast } = this.#buffer.take(writer, 0)
    const pending = this.#pending
    if (!isLast && pending !== undefined) {
      const line = this.#connection.about(pending, 0)
      if (line !== undefined) writeCredit(line, pending.id, RESULT_STREAM, credit)
    }
    return { batch: writer.take(), bootId: this.#bootId ?? this.#connection.bootId, isLast }
  }

  /** Nobody wants more. Legal at any time. */
  release(): void {
    if (this.#pending !== undefined) this.#connection.abandon(this.#pending)
  }
}

interface KeptChunk {
  /** Items, and in the end the reply or the error. */
  readonly batch: Uint8Array
  /** For the id of the call. */
  readonly bootId: string
  readonly isLast: boolean
}
