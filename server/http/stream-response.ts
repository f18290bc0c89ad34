import { asBunhouseError, BunhouseError, encodeErrorRecord } from "../../protocol/errors.ts"
import { FrameFlag, type FrameReader, FrameType } from "../../protocol/frame.ts"
import { EVENTS_TYPE, LINES_TYPE } from "../../protocol/http.ts"
import { STREAM_WINDOW_BYTES, STREAM_WINDOW_ITEMS_DEFAULT } from "../../protocol/limits.ts"
import { PieceReader } from "../../protocol/streams/pieces.ts"
import type { Caller } from "../calls/call.ts"
import type { CallDesk } from "../calls/call-desk.ts"
import { grant } from "../calls/flow.ts"
import type { FunctionRoute } from "../calls/route.ts"
import { answer, errorResponse } from "./answer.ts"

/**
 * A call of a generator function, answered as text while it runs: lines of JSON, or server-sent events for who accepts
 * those. The items are JSON already; the daemon puts a frame of text around them.
 *
 *     {"item": …}                                             data: …
 *     {"ok":true,"value": …} | {"ok":false,"error":{…}}       event: end | error, and the same as data
 *
 * Invariants:
 * SR1. Credit is granted again only for what the connection has taken: a slow reader makes the generator wait.
 * SR2. When the reader goes away, the call is cancelled.
 * SR3. A large item is written as its pieces come, and never held as a whole. Where the call fails in the middle of it,
 *     its line stays cut short, and the line of the end follows.
 */
export function streamResponse(options: {
  readonly desk: CallDesk
  readonly route: FunctionRoute
  /** Stands on the call, which takes JSON. */
  readonly frame: FrameReader
  readonly request: Request
}): Response {
  const { desk, route, frame, request } = options
  const format = wantsEvents(request) ? EVENTS : LINES
  const caller = new TextCaller(format, () => {
    if (call !== undefined) desk.cancel(call)
  })
  const call = desk.submit(caller, frame, route)
  if (call === undefined) return errorResponse(caller.refusal)
  const cancel = () => {
    desk.cancel(call)
    caller.close()
  }
  grant(call, { items: STREAM_WINDOW_ITEMS_DEFAULT, bytes: STREAM_WINDOW_BYTES })
  request.signal.addEventListener("abort", cancel, { once: true })
  if (request.signal.aborted) cancel()
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const chunk = await caller.next()
      if (chunk === undefined) return controller.close()
      controller.enqueue(chunk.text)
      grant(call, chunk)
    },
    cancel,
  })
  return answer(body, format.type)
}

/** Text that waits for the connection to take it; bounded by the credit that was granted. */
class TextCaller implements Caller {
  readonly #format: Format
  readonly #cancel: () => void
  readonly #pieces = new PieceReader()
  /** Why the call was not admitted, where it was not. */
  refusal = new BunhouseError("INTERNAL", "the call was refused")
  #chunks: Chunk[] = []
  #isOver = false
  #wake: (() => void) | undefined

  /** `cancel` is called when what comes cannot be read. */
  constructor(format: Format, cancel: () => void) {
    this.#format = format
    this.#cancel = cancel
  }

  /** Undefined behind the end. */
  async next(): Promise<Chunk | undefined> {
    if (this.#chunks.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    return this.#chunks.shift()
  }

  close(): void {
    this.#chunks = []
    this.#isOver = true
    this.#wake?.()
  }

  flow(_callerId: number, frame: FrameReader): void {
    if (frame.type !== FrameType.items || this.#isOver) return
    try {
      this.#add(this.#textOf(frame))
    } catch (error) {
      this.#failed(encodeErrorRecord(asBunhouseError(error, "reading the items of a stream")))
      this.#cancel()
    }
  }

  /** SR3. */
  #textOf({ payload, flags, timeoutMs: items }: FrameReader): Chunk {
    const pieces = this.#pieces
    const parts: Uint8Array[] = []
    let bytes = 0
    const [before, after] = this.#format.item
    pieces.open(payload, (flags & FrameFlag.goesOn) !== 0)
    while (pieces.next()) {
      const { start, end, isFirst, left } = pieces
      if (isFirst) parts.push(before)
      parts.push(payload.subarray(start, end))
      if (left === 0) parts.push(after)
      bytes += end - start
    }
    return { text: Buffer.concat(parts), items, bytes }
  }

  log(): void {
    // The call frame does not ask for lines.
  }

  deliver(_callerId: number, frame: FrameReader): void {
    const isThrown = (frame.flags & FrameFlag.thrown) !== 0
    if (frame.type === FrameType.reply && this.#pieces.left > 0) this.#failed(CUT_SHORT)
    else if (frame.type === FrameType.reply || isThrown) this.#end(isThrown, frame.payload)
    else this.#failed(frame.payload)
  }

  fail(_callerId: number, error: BunhouseError): void {
    this.refusal = error
    this.#failed(encodeErrorRecord(error))
  }

  /** The platform failed the call; the status was sent long ago. */
  #failed(record: Uint8Array): void {
    this.#end(true, Buffer.concat([FAILED_START, record, FAILED_END]))
  }

  /** `line` ends with a line break. */
  #end(isError: boolean, line: Uint8Array): void {
    const { end, after, broken } = this.#format
    const before = this.#pieces.left > 0 ? [broken] : []
    const text = Buffer.concat([...before, ...end(isError), line, ...after])
    this.#add({ text, items: 0, bytes: 0 })
    this.#isOver = true
  }

  #add(chunk: Chunk): void {
    this.#chunks.push(chunk)
    this.#wake?.()
    this.#wake = undefined
  }
}

interface Chunk {
  readonly text: Uint8Array
  readonly items: number
  readonly bytes: number
}

interface Format {
  readonly type: string
  /** What stands before and behind an item. */
  readonly item: readonly [before: Uint8Array, after: Uint8Array]
  /** Behind an item that was cut short. */
  readonly broken: Uint8Array
  /** What stands before and behind the line of the end. */
  readonly end: (isError: boolean) => readonly Uint8Array[]
  readonly after: readonly Uint8Array[]
}

const LINES: Format = {
  type: LINES_TYPE,
  item: [Buffer.from('{"item":'), Buffer.from("}\n")],
  broken: Buffer.from("\n"),
  end: () => [],
  after: [],
}

const EVENTS: Format = {
  type: EVENTS_TYPE,
  item: [Buffer.from("data: "), Buffer.from("\n\n")],
  broken: Buffer.from("\n\n"),
  end: (isError) => [Buffer.from(`event: ${isError ? "error" : "end"}\ndata: `)],
  after: [Buffer.from("\n")],
}

const CUT_SHORT = encodeErrorRecord(
  new BunhouseError("PROTOCOL_ERROR", "the stream ended in the middle of an item", { ran: "yes" }),
)
const FAILED_START = Buffer.from('{"ok":false,"error":')
const FAILED_END = Buffer.from("}\n")

function wantsEvents(request: Request): boolean {
  const accepted = request.headers.get("accept") ?? ""
  return accepted.toLowerCase().includes(EVENTS_TYPE)
}
