import {
  LOG_CALL_BYTES_MAX,
  LOG_FLUSH_MS,
  LOG_LINE_LENGTH_MAX,
  LOG_PROCESS_BYTES_MAX,
} from "../../protocol/limits.ts"
import { encodeLine } from "../../protocol/log-lines.ts"
import type { RunningCall } from "../call-context.ts"
import type { OutputStream } from "./capture.ts"

/**
 * What the functions of one thread print: every line goes into the env's log, with the call that it is of, and to the
 * caller of that call if it asked for it.
 *
 * Invariants:
 * X1. A line is of the call that runs where it is printed, also behind an `await`; of none when its call has ended.
 * X2. Nobody waits: lines for callers are collected for LOG_FLUSH_MS, or until the call ends, and those over the bounds
 *     (of one call, of the process) are dropped and counted.
 * X3. Lines of a call leave in order, and before its reply.
 */
export class OutputLog {
  readonly #parts: OutputParts
  /** Calls with lines for their callers. */
  readonly #pending = new Set<RunningCall>()
  /** Of what no call prints. */
  readonly #own = new Output()
  #isScheduled = false
  #flushedAt = 0
  /** Characters for callers since the last flush, whether they are still here or not. */
  #length = 0

  constructor(parts: OutputParts) {
    this.#parts = parts
  }

  readonly take = (stream: OutputStream, text: string): void => {
    const call = this.#parts.current()
    const running = call?.hasEnded === true ? undefined : call
    const output = running === undefined ? this.#own : (running.output ??= this.#begin(running))
    const time = Date.now()
    const rest = output.rest[stream] + text
    let start = 0
    for (let end = rest.indexOf("\n"); end !== -1; end = rest.indexOf("\n", start)) {
      this.#line(running, output, stream, time, cut(rest.slice(start, end)))
      start = end + 1
    }
    output.rest[stream] = rest.slice(start)
    // A line without an end is told in pieces rather than held.
    if (output.rest[stream].length > LOG_LINE_LENGTH_MAX) this.#endLine(running, output, stream)
  }

  #begin(call: RunningCall): Output {
    call.onEnd = this.#ended
    return new Output()
  }

  #line(
    call: RunningCall | undefined,
    output: Output,
    stream: OutputStream,
    timeMs: number,
    text: string,
  ): void {
    const json = JSON.stringify(text)
    this.#parts.write(call, stream, timeMs, json)
    if (call?.wantsLogs !== true) return
    const { length } = text
    const isOver =
      output.length + length > LOG_CALL_BYTES_MAX || this.#length + length > LOG_PROCESS_BYTES_MAX
    if (isOver) output.dropped++
    else {
      if (output.lines++ > 0) output.json += ","
      output.json += encodeLine(stream, timeMs, json)
      output.length += length + LINE_COST
      this.#length += length + LINE_COST
    }
    this.#pending.add(call)
    // A function that blocks its thread keeps the timer from firing.
    if (timeMs - this.#flushedAt >= 2 * LOG_FLUSH_MS && this.#isScheduled) this.flush()
    else this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#flushedAt = Date.now()
    setTimeout(() => this.flush(), LOG_FLUSH_MS)
  }

  /** Sends what there is for callers. */
  flush(): void {
    this.#isScheduled = false
    this.#flushedAt = Date.now()
    this.#length = 0
    for (const call of this.#pending) this.#send(call)
    this.#pending.clear()
  }

  /** X3. */
  readonly #ended = (call: RunningCall): void => {
    const { output } = call
    if (output === undefined) return
    for (const stream of ["stdout", "stderr"] as const) {
      if (output.rest[stream] !== "") this.#endLine(call, output, stream)
    }
    if (this.#pending.delete(call) || output.dropped > 0) this.#send(call)
  }

  #endLine(call: RunningCall | undefined, output: Output, stream: OutputStream): void {
    const text = cut(output.rest[stream])
    output.rest[stream] = ""
    this.#line(call, output, stream, Date.now(), text)
  }

  #send(call: RunningCall): void {
    const { output } = call
    if (output === undefined) return
    const { lines, json, dropped } = output
    output.lines = 0
    output.json = ""
    output.length = 0
    output.dropped = 0
    if (lines + dropped === 0) return
    const isGone = this.#parts.send(call, lines, dropped, `[${json}]`)
    if (!isGone) output.dropped = lines + dropped
  }
}

export interface OutputParts {
  /** The call that runs here and now. */
  readonly current: () => RunningCall | undefined
  /** Keeps a line in the env's log. `json` is its text. */
  readonly write: (
    call: RunningCall | undefined,
    stream: OutputStream,
    timeMs: number,
    json: string,
  ) => void
  /** Hands the payload of a log frame on, at once or with what leaves next. False where there is no room: it is dropped. */
  readonly send: (call: RunningCall, lines: number, dropped: number, payload: string) => boolean
}

/** What was printed and is not gone yet. */
export class Output {
  /** Behind the last line break. */
  readonly rest: Record<OutputStream, string> = { stdout: "", stderr: "" }
  /** For the caller: how many, and what stands in their frame. */
  lines = 0
  json = ""
  length = 0
  dropped = 0
}

function cut(text: string): string {
  const line = text.endsWith("\r") ? text.slice(0, -1) : text
  if (line.length <= LOG_LINE_LENGTH_MAX) return line
  return `${line.slice(0, LOG_LINE_LENGTH_MAX)}… (${line.length} characters)`
}

/** Of a line beside its text. */
const LINE_COST = 24
