import {
  BATCH_PREFIX_BYTES,
  type FrameReader,
  FrameType,
  FrameWriter,
} from "../../protocol/frame.ts"
import { PARTS_WINDOW_BYTES_MAX } from "../../protocol/limits.ts"
import { type Part, readPart, writePart } from "../../protocol/parts/part.ts"
import type { Call } from "../calls/call.ts"
import { grantParts } from "../calls/flow.ts"
import type { WholeOutcome } from "./single-call.ts"

/**
 * The result of a call over plain HTTP that comes in parts, on its way into the answer. Credit is granted again only for
 * what the connection has taken, so that a slow reader makes the env process wait, and the daemon holds little.
 */
export class LargeResult {
  readonly kind = "large"
  readonly #call: Call
  readonly #cancel: () => void
  readonly #parts: Part[] = []
  #end: WholeOutcome | undefined
  #wake: (() => void) | undefined

  /** `cancel` is called when nobody reads any more. */
  constructor(call: Call, cancel: () => void) {
    this.#call = call
    this.#cancel = cancel
    grantParts(call, PARTS_WINDOW_BYTES_MAX)
  }

  /** Takes in the part that `frame` stands on. */
  add(frame: FrameReader): void {
    const { at, total, bytes } = readPart(frame)
    this.#parts.push({ at, total, bytes: new Uint8Array(bytes) })
    this.#wake?.()
  }

  /** The call has ended, after all parts or before. */
  end(outcome: WholeOutcome): void {
    this.#end ??= outcome
    this.#wake?.()
  }

  /** The payload alone. It breaks off where the call fails in the middle. */
  asPayload(): ReadableStream<Uint8Array> {
    return this.#stream(
      ({ bytes }) => bytes,
      ({ type }) => {
        if (type !== FrameType.reply) throw new Error("the call failed before its result was sent")
        return NOTHING
      },
    )
  }

  /** The frames of the parts, for the call `id`, between what comes first and what `endOf` makes of the end. */
  asFrames(
    first: Uint8Array,
    id: number,
    endOf: (outcome: WholeOutcome) => Uint8Array,
  ): ReadableStream<Uint8Array> {
    const frameOf = (part: Part) => {
      const writer = new FrameWriter()
      writePart(writer, id, part)
      return writer.take().subarray(BATCH_PREFIX_BYTES)
    }
    return this.#stream(frameOf, endOf, first)
  }

  #stream(
    chunkOf: (part: Part) => Uint8Array,
    endOf: (outcome: WholeOutcome) => Uint8Array,
    first: Uint8Array = NOTHING,
  ): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          if (first.length > 0) controller.enqueue(first)
        },
        pull: async (controller) => {
          const next = await this.#next()
          if (isPart(next)) {
            controller.enqueue(chunkOf(next))
            grantParts(this.#call, next.bytes.length)
            return
          }
          const last = endOf(next)
          if (last.length > 0) controller.enqueue(last)
          controller.close()
        },
        cancel: this.#cancel,
      },
      { highWaterMark: 0 },
    )
  }

  async #next(): Promise<Part | WholeOutcome> {
    for (;;) {
      const part = this.#parts.shift()
      if (part !== undefined && part.bytes.length > 0) return part
      if (part === undefined && this.#end !== undefined) return this.#end
      if (part === undefined) await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}

const NOTHING = new Uint8Array(0)

function isPart(next: Part | WholeOutcome): next is Part {
  return "bytes" in next
}
