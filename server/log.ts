import { writeSync } from "node:fs"

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
    writeSync(2, `${line}\n`)
  } catch {
    // A full disk or a closed terminal must not stop the daemon.
  }
}

function cut(_key: string, value: unknown): unknown {
  if (typeof value !== "string" || value.length <= FIELD_LENGTH_MAX) return value
  return `${value.slice(0, FIELD_LENGTH_MAX)}… (${value.length} characters)`
}

// Controls that JSON lets stand: they end lines or drive terminals as well.
const UNESCAPED = /[\u007f-\u009f\u2028\u2029]/g
const FIELD_LENGTH_MAX = 8_192
