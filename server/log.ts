import { writeSync } from "node:fs"
import { LOG_CHECK_BYTES } from "../protocol/limits.ts"
import { rotateLog } from "../protocol/log-rotation.ts"

/** Facts of an event; values are shown as JSON. */
type Facts = Readonly<Record<string, unknown>>

export type Log = (event: string, facts?: Facts) => void

/**
 * The daemon's log: one JSON object a line on stderr, which the command line has pointed at the log file. JSON escapes
 * control characters, so that no name or message can forge a line; long texts are cut.
 */
export const log: Log = (event, facts = {}) => {
  const text = JSON.stringify({ time: new Date().toISOString(), event, ...facts }, cut)
  const line = text.replace(
    UNESCAPED,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
  try {
    writeSync(STDERR, `${line}\n`)
  } catch {
    // A full disk or a closed terminal must not stop the daemon.
  }
  written += line.length
  if (path === undefined || written < LOG_CHECK_BYTES) return
  written = 0
  rotateLog(STDERR, path)
}

/** From now on the log is begun anew when it is large, if stderr leads to `file`. */
export function boundLog(file: string): void {
  path = file
  rotateLog(STDERR, file)
}

let path: string | undefined
let written = 0
const STDERR = 2

function cut(_key: string, value: unknown): unknown {
  if (typeof value !== "string" || value.length <= FIELD_LENGTH_MAX) return value
  return `${value.slice(0, FIELD_LENGTH_MAX)}… (${value.length} characters)`
}

// Controls that JSON lets stand: they end lines or drive terminals as well.
const UNESCAPED = /[\u007f-\u009f\u2028\u2029]/g
const FIELD_LENGTH_MAX = 8_192
