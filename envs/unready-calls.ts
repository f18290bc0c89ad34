import { FrameReader, FrameType, FrameWriter } from "../protocol/frame.ts"
import { type Credit, readCredit, RESULT_STREAM, writeCredit } from "../protocol/streams/credit.ts"

/**
 * Calls that cannot run yet, because something of their arguments is still to come. What is granted of their results'
 * streams meanwhile is kept until they run: it is not said twice.
 */
export class UnreadyCalls {
  readonly #credit = new Map<number, Credit | undefined>()
  readonly #run: (call: FrameReader) => void
  readonly #flow: (credit: FrameReader) => void

  /** `run` takes a call that is ready now, and `flow` what was granted for it. */
  constructor(run: (call: FrameReader) => void, flow: (credit: FrameReader) => void) {
    this.#run = run
    this.#flow = flow
  }

  add(id: number): void {
    this.#credit.set(id, undefined)
  }

  /** It will not run. Says whether it was one of these. */
  delete(id: number): boolean {
    return this.#credit.delete(id)
  }

  clear(): void {
    this.#credit.clear()
  }

  /** `call` stands on the call with all of its arguments. It runs, unless it is not one of these any more. */
  ready(call: FrameReader): void {
    const { id } = call
    const credit = this.#credit.get(id)
    if (!this.#credit.delete(id)) return
    this.#run(call)
    if (credit !== undefined) this.#flow(creditFrame(id, credit))
  }

  /** Keeps what a frame grants. Says whether it is about such a call. */
  holds(frame: FrameReader): boolean {
    const { id } = frame
    if (!this.#credit.has(id)) return false
    const { stream, items, bytes } = readCredit(frame)
    if (stream !== RESULT_STREAM || frame.type !== FrameType.credit) return true
    const held = this.#credit.get(id)
    this.#credit.set(id, {
      items: items + (held?.items ?? 0),
      bytes: bytes + (held?.bytes ?? 0),
    })
    return true
  }
}

function creditFrame(id: number, credit: Credit): FrameReader {
  const writer = new FrameWriter()
  writeCredit(writer, id, RESULT_STREAM, credit)
  const frame = new FrameReader()
  frame.open(writer.take())
  frame.next()
  return frame
}
