import type { PrintedLine } from "../../protocol/log-lines.ts"
import type { RunningCall } from "../call-context.ts"

/** A line of an env's log: one JSON object, as `bunhouse logs` reads it. */
export function logLine(call: RunningCall | undefined, line: PrintedLine): string {
  const about =
    call === undefined ? "" : `"function":${JSON.stringify(call.function)},"call":"${call.callId}",`
  const text = JSON.stringify(line.text)
  return `{"time":"${isoTime(line.timeMs)}",${about}"stream":"${line.stream}","text":${text}}\n`
}

/** Many lines are of the same millisecond. */
function isoTime(timeMs: number): string {
  if (timeMs !== lastMs) {
    lastMs = timeMs
    lastIso = new Date(timeMs).toISOString()
  }
  return lastIso
}

let lastMs = Number.NaN
let lastIso = ""
