import { encodeArgs, encodeItem, encodeThrown } from "../protocol/codec/index.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { FrameFlag, type FrameReader, FrameType } from "../protocol/frame.ts"
import type { FunctionInfo } from "../protocol/function-spec.ts"
import { ENV_PAYLOAD_BYTES_MAX, STREAMED_ARGUMENTS_MAX } from "../protocol/limits.ts"
import { readCredit } from "../protocol/streams/credit.ts"
import { ItemWriter } from "../protocol/streams/items.ts"
import { type StreamEnd, StreamSender } from "../protocol/streams/sender.ts"
import { Turns } from "../protocol/streams/turns.ts"
import type { Connection } from "./connection/connection.ts"
import type { PendingCall } from "./connection/pending.ts"
import { hasLaters, withLaters } from "./later.ts"
import type { Link } from "./link.ts"
import type { Names } from "./outcome.ts"

/**
 * The arguments of a call, of which some are streams: what has `Symbol.asyncIterator` (async generators, ReadableStreams)
 * and stands right in the list of arguments. The function gets async generators in their place.
 *
 * They leave holes, and a list behind the last argument says where.
 *
 * Invariants:
 * B1. Nothing is read from a source before the function reads it there.
 * B2. When the function stops reading, or the call ends, a source that was begun is told to `return`.
 */
export class StreamedArguments {
  /** For the call frame. */
  readonly flags: number
  readonly payload: Uint8Array
  readonly #sources: readonly AsyncIterable<unknown>[]
  #outputs: readonly Output[] = []

  /** Throws VALUE_NOT_SENDABLE, PAYLOAD_TOO_LARGE, INVALID_ARGUMENT for streams that cannot be taken. */
  constructor(args: readonly unknown[], { env, name, run }: FunctionInfo, link: Link) {
    const names = { env, function: name }
    const places = placesIn(args)
    if (places.length > 0 && run === "thread") throw cannotStream(names)
    this.#sources = places.map((place) => args[place]).filter(isStream)
    const rest = places.length > 0 ? args.map((arg) => (isStream(arg) ? null : arg)) : args
    const isLater = hasLaters(rest)
    const said = isLater ? withLaters(rest, link, names) : rest
    this.flags =
      (places.length > 0 ? FrameFlag.streamedArguments : 0) | (isLater ? FrameFlag.later : 0)
    this.payload = encodeArgs(places.length > 0 ? [...said, places] : said)
  }

  /** The call was made. */
  begin(connection: Connection, pending: PendingCall): void {
    if (this.#sources.length === 0) return
    this.#outputs = this.#sources.map((source, index) => {
      return new Output(connection, pending, index + 1, source)
    })
  }

  /** The function wants more of a stream, or no more. */
  credit(frame: FrameReader): void {
    const { stream, items, bytes, isLast } = readCredit(frame)
    const output = this.#outputs[stream - 1]
    if (isLast) output?.stop()
    else output?.grant({ items, bytes })
  }

  /** The call has ended (B2). */
  close(): void {
    for (const output of this.#outputs) output.stop()
    this.#outputs = []
  }
}

/** Whether some of the arguments are streams. */
export function hasStreams(args: readonly unknown[]): boolean {
  return args.some(isStream)
}

/** Who blocks cannot send meanwhile, and a thread that runs a function cannot receive. */
export function cannotStream(names: Names): BunhouseError {
  const message = `${names.env}/${names.function}: an argument is a stream, which takes an awaitable call of a function that runs on its env's loop (async, or run: "loop")`
  return new BunhouseError("INVALID_ARGUMENT", message, names)
}

/** Throws INVALID_ARGUMENT for options that would make a call with streams more than once. */
export function checkOnce(
  { env, function: fn }: Names,
  { retries, idempotencyKey }: { readonly retries?: unknown; readonly idempotencyKey?: unknown },
): void {
  if (retries === undefined && idempotencyKey === undefined) return
  const message = `${env}/${fn}: a call with streams is made once: expected neither retries nor an idempotencyKey`
  throw new BunhouseError("INVALID_ARGUMENT", message, { env, function: fn })
}

/** One stream on its way to the function. */
class Output {
  readonly #connection: Connection
  readonly #pending: PendingCall
  readonly #stream: number
  readonly #sender: StreamSender
  #source: AsyncIterable<unknown> | undefined

  constructor(
    connection: Connection,
    pending: PendingCall,
    stream: number,
    source: AsyncIterable<unknown>,
  ) {
    this.#connection = connection
    this.#pending = pending
    this.#stream = stream
    this.#source = source
    this.#sender = new StreamSender({
      turns,
      encode: (item) => encodeItem(item, ENV_PAYLOAD_BYTES_MAX),
      send: (payload, count, goesOn) => {
        this.#write(goesOn ? FrameFlag.goesOn : 0, count, payload)
      },
      ended: (end) => this.#ended(end),
    })
  }

  grant(credit: { readonly items: number; readonly bytes: number }): void {
    this.#sender.grant(credit)
    const source = this.#source
    if (source === undefined) return
    // B1: the first credit.
    this.#source = undefined
    try {
      this.#sender.start(source[Symbol.asyncIterator]())
    } catch (thrown) {
      this.#ended({ kind: "threw", thrown })
    }
  }

  stop(): void {
    this.#source = undefined
    this.#sender.stop()
  }

  #ended(end: StreamEnd): void {
    if (end.kind === "returned") this.#last(0, encodeReturned(end.value))
    else if (end.kind === "threw") this.#last(FrameFlag.thrown, encodeThrown(end.thrown))
    else if (end.kind === "failed") this.#last(FrameFlag.thrown, encodeThrown(end.error))
  }

  #last(flags: number, item: Uint8Array): void {
    const writer = new ItemWriter()
    writer.add(item)
    this.#write(FrameFlag.last | flags, 1, writer.take())
  }

  #write(flags: number, count: number, payload: Uint8Array): void {
    const pending = this.#pending
    this.#connection
      .about(pending, payload.length)
      ?.write(FrameType.items, flags, pending.id, this.#stream, count, 0, payload)
  }
}

const turns = new Turns()

function isStream(arg: unknown): arg is AsyncIterable<unknown> {
  return (
    typeof arg === "object" &&
    arg !== null &&
    Symbol.asyncIterator in arg &&
    typeof arg[Symbol.asyncIterator] === "function"
  )
}

function placesIn(args: readonly unknown[]): number[] {
  const places = args.flatMap((arg, place) => (isStream(arg) ? [place] : []))
  if (places.length <= STREAMED_ARGUMENTS_MAX) return places
  const message = `expected at most ${STREAMED_ARGUMENTS_MAX} streams among the arguments, got ${places.length}`
  throw new BunhouseError("INVALID_ARGUMENT", message)
}

/** What a source returns matters to few: where it cannot travel, it is left out. */
function encodeReturned(value: unknown): Uint8Array {
  try {
    return encodeItem(value)
  } catch {
    return encodeItem(undefined)
  }
}
