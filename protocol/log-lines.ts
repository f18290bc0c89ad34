import { BunhouseError } from "./errors.ts"
import { parseJson } from "./fields.ts"
import { BATCH_PREFIX_BYTES, type FrameReader, FrameType, FrameWriter } from "./frame.ts"
import { LOG_ANSWER_BYTES_MAX } from "./limits.ts"

/**
 * What functions print, on its way to their callers: frames of the type `log`, each with some lines of one call. The
 * header says how many lines there are (`target`) and how many before them were dropped (`timeoutMs`), so that whoever
 * forwards them can drop some and say so without reading them.
 */
export interface PrintedLine {
  readonly stream: "stdout" | "stderr"
  /** Of the env process's clock, in milliseconds since 1970. */
  readonly timeMs: number
  /** Without the line break. */
  readonly text: string
}

/** JSON: `[timeMs, 1 for stdout or 2 for stderr, text, timeMs, …]`. */
export function encodeLines(lines: readonly PrintedLine[]): string {
  return `[${lines.map(({ stream, timeMs, text }) => encodeLine(stream, timeMs, JSON.stringify(text))).join(",")}]`
}

/** What stands in that list for one line; `json` is its text. */
export function encodeLine(stream: PrintedLine["stream"], timeMs: number, json: string): string {
  return `${timeMs},${stream === "stdout" ? 1 : 2},${json}`
}

/** Throws INVALID_ARGUMENT for what is none. */
export function decodeLines(payload: string): PrintedLine[] {
  const parts = parseJson("lines of a log", payload)
  if (!Array.isArray(parts)) throw noLines()
  const lines: PrintedLine[] = []
  for (let at = 0; at < parts.length; at += 3) {
    const [timeMs, number, text]: unknown[] = [parts[at], parts[at + 1], parts[at + 2]]
    const stream = number === 1 ? "stdout" : number === 2 ? "stderr" : undefined
    if (typeof timeMs !== "number" || stream === undefined || typeof text !== "string") {
      throw noLines()
    }
    lines.push({ timeMs, stream, text })
  }
  return lines
}

function noLines(): BunhouseError {
  return new BunhouseError("INVALID_ARGUMENT", "expected lines of a log as times, streams, texts")
}

/** Collects the log frames of a call whose caller hears everything at once, in the end. Bounded; what is over is counted. */
export class LogCollector {
  readonly #writer = new FrameWriter()
  #dropped = 0

  /** `frame` stands on a log frame. */
  add(frame: FrameReader): void {
    if (this.#writer.byteLength + frame.end - frame.start > LOG_ANSWER_BYTES_MAX) {
      this.#dropped += frame.target + frame.timeoutMs
    } else this.#writer.append(frame.bytes.subarray(frame.start, frame.end))
  }

  /** The frames behind those that `writer` holds. */
  writeTo(writer: FrameWriter): void {
    if (this.#dropped > 0) {
      this.#writer.writeText(FrameType.log, 0, 0, this.#dropped, 0, encodeLines([]))
    }
    if (!this.#writer.isEmpty) writer.append(this.#writer.take().subarray(BATCH_PREFIX_BYTES))
  }
}
