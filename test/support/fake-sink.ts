import { decodePayload } from "../../protocol/codec/index.ts"
import { decodeErrorRecord } from "../../protocol/errors.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import type { ThreadSink } from "../../envs/threads/pool.ts"

/** How a call was answered. */
export interface Answer {
  readonly kind: "value" | "thrown" | "failed"
  readonly value: unknown
  readonly wasPromise: boolean
}

/** Where replies of an env go in a test: decoded, by call id, each at most once. */
export class FakeSink implements ThreadSink {
  readonly #writer = new FrameWriter()
  readonly #answers = new Map<number, Answer[]>()

  readonly resultBytesMax = PAYLOAD_BYTES_MAX

  open(): FrameWriter {
    return this.#writer
  }

  readonly result = (id: number, flags: number, payload: Uint8Array): void => {
    this.#writer.write(FrameType.reply, flags, id, 0, 0, 0, payload)
  }

  readonly pass = ({ bytes, start, end }: FrameReader): void => {
    this.#writer.append(bytes.subarray(start, end))
  }

  /** The answer of a call, undefined while there is none. Fails when there are two. */
  answerOf(id: number): Answer | undefined {
    this.#read()
    const [answer, ...more] = this.#answers.get(id) ?? []
    if (more.length > 0) throw new Error(`call ${id} was answered ${more.length + 1} times`)
    return answer
  }

  #read(): void {
    const frame = new FrameReader()
    frame.open(this.#writer.take())
    while (frame.next()) {
      if (frame.type === FrameType.progress) continue
      const answers = this.#answers.get(frame.id) ?? []
      this.#answers.set(frame.id, [...answers, read(frame)])
    }
  }
}

function read({ type, flags, payload }: FrameReader): Answer {
  const wasPromise = (flags & FrameFlag.promised) !== 0
  if (type === FrameType.error && !(flags & FrameFlag.thrown)) {
    return { kind: "failed", value: decodeErrorRecord(payload), wasPromise }
  }
  const value =
    flags & FrameFlag.json ? JSON.parse(Buffer.from(payload).toString()) : decodePayload(payload)
  return { kind: type === FrameType.reply ? "value" : "thrown", value, wasPromise }
}

/** For threads whose functions make no calls. */
export const noDial = (): never => {
  throw new Error("nobody makes calls here")
}
