import { callIdOf } from "../protocol/hello.ts"
import type { FrameReader } from "../protocol/frame.ts"
import { decodeLines } from "../protocol/log-lines.ts"
import { isQuiet } from "./notices.ts"
import type { Names } from "./outcome.ts"

/** A line that a remote function printed while a call ran. */
export interface LogLine {
  /** Of a job: that of the attempt. */
  readonly callId: string
  readonly env: string
  readonly function: string
  readonly stream: "stdout" | "stderr"
  /** By the clock of the machine where the function ran. */
  readonly time: Date
  /** Without the line break. */
  readonly text: string
}

/** Who is told the lines; what it throws is an uncaught exception, and ends no call. */
export type OnLog = (line: LogLine) => void

/** Undefined where nobody wants lines; then they are not sent at all. */
export function logSink(onLog: OnLog | undefined): OnLog | undefined {
  return onLog ?? (isQuiet() ? undefined : printLine)
}

/** Hands on the lines of the log frame that `frame` stands on. */
export function tellLines(onLog: OnLog, names: Names, frame: FrameReader, bootId: string): void {
  const callId = callIdOf(bootId, frame.serial)
  // Written out below: where there are many lines, spreading an object for each shows in a profile.
  const { env, function: fn } = names
  try {
    const dropped = frame.timeoutMs
    if (dropped > 0) {
      onLog({ callId, env, function: fn, ...droppedLine(dropped, new Date()) })
    }
    for (const { stream, timeMs, text } of decodeLines(frame.text)) {
      onLog({ callId, env, function: fn, stream, time: new Date(timeMs), text })
    }
  } catch (error) {
    // Not here: the connection and its other calls have nothing to do with it.
    queueMicrotask(() => {
      throw error
    })
  }
}

/** Stands where lines are missing. */
export function droppedLine(count: number, time: Date): Pick<LogLine, "stream" | "time" | "text"> {
  return { stream: "stderr", time, text: `… ${count.toLocaleString("en-US")} lines dropped` }
}

/** The default: what was printed there is printed here, to the stream of the same name. */
function printLine({ env, function: fn, stream, text }: LogLine): void {
  const out = stream === "stdout" ? process.stdout : process.stderr
  const label = `[${env}/${fn}]`
  const hasColor = out.isTTY && (process.env["NO_COLOR"] ?? "") === ""
  out.write(`${hasColor ? `\u001b[2m${label}\u001b[22m` : label} ${text}\n`)
}
