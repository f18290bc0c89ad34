import type { RunningCall } from "../call-context.ts"
import type { OutputStream } from "./capture.ts"

/** A line of an env's log: one JSON object, as `bunhouse logs` reads it. `json` is the text of the line. */
export function logLine(
  call: RunningCall | undefined,
  stream: OutputStream,
  timeMs: number,
  json: string,
): string {
  const about =
    call === undefined ? "" : `"function":${JSON.stringify(call.function)},"call":"${call.callId}",`
  return `{"time":"${isoTime(timeMs)}",${about}"stream":"${stream}","text":${json}}\n`
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
