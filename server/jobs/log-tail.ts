import type { StoredEntry } from "../../broker/job-store.ts"
import {
  BATCH_PREFIX_BYTES,
  FrameReader,
  FrameType,
  FrameWriter,
  HEADER_BYTES,
} from "../../protocol/frame.ts"
import type { JobLogLine } from "../../protocol/job-log.ts"
import { type JobLogHead, readJobLogHead } from "../../protocol/job-record.ts"
import { JOB_LOG_BYTES_MAX } from "../../protocol/limits.ts"
import { decodeLines } from "../../protocol/log-lines.ts"

/**
 * The last lines that the attempts of one job printed, in the form in which the store keeps them: a batch of the log
 * frames as they came, each with the id of its call as metadata. What is in them is read only when somebody asks.
 *
 * Invariants:
 * T1. Every line has a number, counted from 0 since the job began; so has a line that was dropped, here or before.
 * T2. No more than the bound is kept: the oldest frames go, and their lines stay counted.
 */
export class LogTail {
  readonly #frames: KeptFrame[] = []
  #bytesMax = JOB_LOG_BYTES_MAX
  #bytes = BATCH_PREFIX_BYTES
  #start = 0
  #end = 0

  /** Goes on from what the store has. Throws for what `entry` of this class did not write. */
  static of(entry: StoredEntry): LogTail {
    const tail = new LogTail()
    const { start } = readJobLogHead(entry.head)
    tail.#start = start
    tail.#end = start
    for (const frame of framesIn(entry.body)) tail.#keep(frame)
    return tail
  }

  /** `frame` stands on a log frame of the call `callId`. */
  add(frame: FrameReader, callId: string): void {
    const { target: lines, timeoutMs: dropped, payload } = frame
    // `slice` of a Buffer would be a view of a batch that is used again.
    this.#keep({ callId, lines, dropped, payload: new Uint8Array(payload) })
  }

  /** From now on no more than this is kept. */
  shrink(bytesMax: number): void {
    this.#bytesMax = bytesMax
    this.#trim()
  }

  entry(): { readonly head: JobLogHead; readonly body: Uint8Array } {
    const writer = new FrameWriter()
    for (const { callId, lines, dropped, payload } of this.#frames) {
      writer.write(FrameType.log, 0, 0, lines, dropped, 0, payload, Buffer.from(callId))
    }
    return { head: { start: this.#start, end: this.#end }, body: writer.take() }
  }

  #keep(frame: KeptFrame): void {
    this.#frames.push(frame)
    this.#bytes += bytesOf(frame)
    this.#end = numberAfter(this.#end, frame)
    this.#trim()
  }

  /** T2. */
  #trim(): void {
    while (this.#bytes > this.#bytesMax) {
      const oldest = this.#frames.shift()
      if (oldest === undefined) return
      this.#bytes -= bytesOf(oldest)
      this.#start = numberAfter(this.#start, oldest)
    }
  }
}

/** The lines in an entry that have the number `from` or a higher one, and the number that comes next. */
export function linesIn(
  { head, body }: StoredEntry,
  from: number,
): { readonly lines: JobLogLine[]; readonly next: number } {
  const lines: JobLogLine[] = []
  let { start } = readJobLogHead(head)
  for (const frame of framesIn(body)) {
    const end = numberAfter(start, frame)
    const first = start + frame.dropped
    if (end > from) {
      for (const [index, line] of printedIn(frame).entries()) {
        if (first + index >= from) lines.push({ line: first + index, ...line })
      }
    }
    start = end
  }
  return { lines, next: start }
}

interface KeptFrame {
  readonly callId: string
  /** How many are in the payload, as its sender says. */
  readonly lines: number
  /** How many were dropped before them. */
  readonly dropped: number
  readonly payload: Uint8Array
}

function* framesIn(body: Uint8Array): Generator<KeptFrame> {
  const frame = new FrameReader()
  frame.open(body)
  while (frame.next()) {
    const { target: lines, timeoutMs: dropped, payload } = frame
    const callId = Buffer.from(frame.extra).toString()
    yield { callId, lines, dropped, payload: new Uint8Array(payload) }
  }
}

/** What cannot be read, or goes beyond what the sender said, counts as dropped: env processes are not trusted. */
function printedIn({ callId, lines, payload }: KeptFrame): Omit<JobLogLine, "line">[] {
  try {
    return decodeLines(Buffer.from(payload).toString())
      .slice(0, lines)
      .map(({ stream, timeMs, text }) => {
        return { callId, stream, time: new Date(timeMs).toISOString(), text }
      })
  } catch {
    return []
  }
}

function numberAfter(number: number, { lines, dropped }: KeptFrame): number {
  return Math.min(number + lines + dropped, Number.MAX_SAFE_INTEGER)
}

function bytesOf({ callId, payload }: KeptFrame): number {
  return HEADER_BYTES + callId.length + payload.length
}
