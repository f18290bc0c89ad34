import type { Style } from "../style.ts"
import { printable, printableLine } from "./printable.ts"

/**
 * One line of the daemon's log for people: `2026-11-22 08:58:22.364  env ready  env=default pid=19460`. What is not a
 * line of the log (the trace of a crash) is shown as it is.
 */
export function renderLogLine(line: string, style: Style): string {
  const entry = parseEntry(line)
  if (entry === undefined) return printableLine(line)
  const { time, event, ...facts } = entry
  const shown = Object.entries(facts).map(([name, value]) => {
    return `${style.dim(`${printableLine(name)}=`)}${valueText(value)}`
  })
  const parts = [style.dim(localTime(time)), style.bold(printableLine(event)), shown.join(" ")]
  return parts.filter((part) => part !== "").join("  ")
}

interface Entry extends Readonly<Record<string, unknown>> {
  readonly time: string
  readonly event: string
}

function parseEntry(line: string): Entry | undefined {
  try {
    const entry: unknown = JSON.parse(line)
    return isEntry(entry) ? entry : undefined
  } catch {
    return undefined
  }
}

function isEntry(value: unknown): value is Entry {
  return (
    typeof value === "object" &&
    value !== null &&
    "time" in value &&
    typeof value.time === "string" &&
    "event" in value &&
    typeof value.event === "string"
  )
}

/** Words stand as they are, traces below; what else could be mistaken for the next fact is quoted. */
function valueText(value: unknown): string {
  if (typeof value !== "string") return printableLine(JSON.stringify(value))
  if (value.includes("\n")) return printable(`\n${value.trimEnd()}`).replaceAll("\n", "\n    ")
  return printableLine(/^[^\s="]+$/.test(value) ? value : JSON.stringify(value))
}

/** In the reader's own time zone. */
export function localTime(iso: string): string {
  const time = new Date(iso)
  if (Number.isNaN(time.getTime())) return printableLine(iso)
  const day = [digits(time.getFullYear(), 4), digits(time.getMonth() + 1), digits(time.getDate())]
  const clock = [digits(time.getHours()), digits(time.getMinutes()), digits(time.getSeconds())]
  return `${day.join("-")} ${clock.join(":")}.${digits(time.getMilliseconds(), 3)}`
}

function digits(value: number, count = 2): string {
  return String(value).padStart(count, "0")
}
