import { decodePayload, encodeItem } from "../protocol/codec/index.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { FrameFlag, type FrameReader, FrameType } from "../protocol/frame.ts"
import { STREAMED_ARGUMENTS_MAX } from "../protocol/limits.ts"
import { readCredit, RESULT_STREAM, windowOf, writeCredit } from "../protocol/streams/credit.ts"
import { ItemReader } from "../protocol/streams/items.ts"
import { ItemStream } from "../protocol/streams/item-stream.ts"
import { StreamReceiver } from "../protocol/streams/receiver.ts"
import { type Source, type StreamEnd, StreamSender } from "../protocol/streams/sender.ts"
import { Turns } from "../protocol/streams/turns.ts"
import { encodeJsonItem } from "./json-payload.ts"
import type { RunningCall } from "./call-context.ts"
import { isThenable, replyFailure, replyReturned, replyThrown, type ReplySink } from "./run-call.ts"

/**
 * The streams of one running call: its result, where the caller takes it as a stream, and those among its arguments.
 *
 * Invariants:
 * A1. An argument is asked for only once the function reads it.
 * A2. When the call has ended or was cancelled, whoever still reads an argument of it gets an error instead of waiting.
 */
export class CallStreams {
  readonly #parts: CallStreamsParts
  readonly #sender: StreamSender
  readonly #inputs: readonly StreamReceiver[]

  /** Puts the streams into `args`, in place of what stands there. */
  constructor(parts: CallStreamsParts, args: unknown[]) {
    this.#parts = parts
    const { id, flags, sink, itemBytesMax } = parts
    const json = flags & FrameFlag.json
    const encode = json ? encodeJsonItem : encodeItem
    this.#sender = new StreamSender({
      turns,
      encode: (item) => encode(item, itemBytesMax),
      send: (payload, count, goesOn) => {
        const itemFlags = goesOn ? json | FrameFlag.goesOn : json
        sink
          .open(payload.length)
          .write(FrameType.items, itemFlags, id, RESULT_STREAM, count, 0, payload)
      },
      ended: parts.ended,
    })
    const places = flags & FrameFlag.streamedArguments ? takePlaces(args) : []
    this.#inputs = places.map((place, index) => {
      const receiver = this.#receiver(index + 1)
      args[place] = this.#input(index + 1, receiver)
      return receiver
    })
  }

  /** Calls the function, and sends the items of what it returns. */
  call(fn: () => unknown): void {
    const { ended } = this.#parts
    let result: unknown
    try {
      result = fn()
    } catch (thrown) {
      return ended({ kind: "threw", thrown })
    }
    if (isThenable(result)) {
      Promise.resolve(result).then(
        (value) => this.#begin(value),
        (thrown: unknown) => ended({ kind: "threw", thrown }),
      )
    } else {
      this.#begin(result)
    }
  }

  /** Items of an argument have arrived. */
  items({ target, flags, payload }: FrameReader): void {
    const input = this.#inputs[target - 1]
    if (input === undefined) return
    if (flags & FrameFlag.last) input.end(endingIn(payload, flags))
    else input.push(payload, (flags & FrameFlag.goesOn) !== 0)
  }

  /** The reader of the result wants more. */
  credit(frame: FrameReader): void {
    const credit = readCredit(frame)
    if (credit.stream === RESULT_STREAM) this.#sender.grant(credit)
  }

  cancel(): void {
    this.#sender.stop()
    this.close("was cancelled, or its deadline passed")
  }

  /** A2. */
  close(how: string): void {
    for (const input of this.#inputs) {
      const message = `the call that the stream was an argument of ${how}`
      input.end({ kind: "threw", thrown: new BunhouseError("CANCELLED", message, { ran: "yes" }) })
    }
  }

  #begin(result: unknown): void {
    try {
      const source = sourceOf(result)
      if (source !== undefined) return this.#sender.start(source)
    } catch (thrown) {
      return this.#parts.ended({ kind: "threw", thrown })
    }
    const message = "the function was called as a generator, but what it returned is not iterable"
    const error = new BunhouseError("INVALID_ARGUMENT", message, { ran: "yes" })
    this.#parts.ended({ kind: "failed", error })
  }

  #receiver(stream: number): StreamReceiver {
    const { sink, id, itemBytesMax } = this.#parts
    return new StreamReceiver({
      window: INPUT_WINDOW,
      itemBytesMax,
      decode: decodePayload,
      grant: (credit) => writeCredit(sink.open(0), id, stream, credit),
      stop: () => writeCredit(sink.open(0), id, stream),
    })
  }

  #input(stream: number, receiver: StreamReceiver): ItemStream {
    const { sink, id } = this.#parts
    return new ItemStream({
      receiver,
      // A1.
      begin: () => {
        if (receiver.isOpen) writeCredit(sink.open(0), id, stream, INPUT_WINDOW)
      },
      stop: () => writeCredit(sink.open(0), id, stream),
    })
  }
}

export interface CallStreamsParts {
  readonly sink: ReplySink
  readonly id: number
  /** Of the call frame. */
  readonly flags: number
  /** What the env takes. */
  readonly itemBytesMax: number
  /** The result's stream has ended: the call is to be answered. */
  readonly ended: (end: StreamEnd) => void
}

/** Answers a call whose result was a stream. `flags` are those of the call frame. */
export function replyStreamEnd(
  sink: ReplySink,
  { id, version }: RunningCall,
  flags: number,
  end: StreamEnd,
): void {
  const answerFlags = flags & FrameFlag.json
  switch (end.kind) {
    case "returned":
      return replyReturned(sink, id, answerFlags, end.value)
    case "stopped":
      return replyReturned(sink, id, answerFlags, undefined)
    case "threw":
      return replyThrown(sink, id, answerFlags, end.thrown, version)
    case "failed":
      return replyFailure(sink, id, end.error)
    default:
      return end satisfies never
  }
}

/** One loop, or thread, for each copy of this module. */
const turns = new Turns()

const INPUT_WINDOW = windowOf(undefined)

/** Behind the arguments stands a list of those that are streams. */
function takePlaces(args: unknown[]): number[] {
  const places = args.pop()
  if (Array.isArray(places) && places.length <= STREAMED_ARGUMENTS_MAX) {
    const isPlace = (place: unknown): place is number => typeof place === "number" && place in args
    if (places.every(isPlace)) return places
  }
  throw new BunhouseError("PROTOCOL_ERROR", "the list of the arguments that are streams is none")
}

/** What the one item of the last frame says. */
function endingIn(payload: Uint8Array, flags: number) {
  try {
    const reader = new ItemReader(payload)
    const value = reader.next() ? decodePayload(payload, reader.start, reader.end) : undefined
    if (flags & FrameFlag.thrown) return { kind: "threw", thrown: value } as const
    return { kind: "returned", value } as const
  } catch (thrown) {
    return { kind: "threw", thrown } as const
  }
}

function sourceOf(result: unknown): Source | undefined {
  if (typeof result !== "object" || result === null) return undefined
  if (Symbol.asyncIterator in result) return iteratorOf(result[Symbol.asyncIterator], result)
  if (Symbol.iterator in result) return iteratorOf(result[Symbol.iterator], result)
  return undefined
}

function iteratorOf(method: unknown, iterable: object): Source | undefined {
  if (typeof method !== "function") return undefined
  const iterator: unknown = Reflect.apply(method, iterable, [])
  return isSource(iterator) ? iterator : undefined
}

function isSource(iterator: unknown): iterator is Source {
  return (
    typeof iterator === "object" &&
    iterator !== null &&
    "next" in iterator &&
    typeof iterator.next === "function"
  )
}
