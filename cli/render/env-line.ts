import type { Style } from "../style.ts"
import { localTime } from "./log-line.ts"
import { printable, printableLine } from "./printable.ts"

/** A line of an env's log that a function printed. What the process itself wrote (a crash) is no such line. */
export interface EnvLine {
  readonly time: string
  readonly stream: string
  readonly text: string
  /** Undefined for what no call printed. */
  readonly function: string | undefined
  readonly call: string | undefined
}

export function parseEnvLine(line: string): EnvLine | undefined {
  try {
    const entry: unknown = JSON.parse(line)
    if (typeof entry !== "object" || entry === null) return undefined
    const { time, stream, text, function: fn, call } = Object.fromEntries(Object.entries(entry))
    if (typeof time !== "string" || typeof stream !== "string" || typeof text !== "string") {
      return undefined
    }
    return { time, stream, text, function: textOrNothing(fn), call: textOrNothing(call) }
  } catch {
    return undefined
  }
}

/** As `renderPrinted`; what else the process wrote as it is. */
export function renderEnvLine(line: string, style: Style): string {
  const entry = parseEnvLine(line)
  return entry === undefined ? printable(line.replace(/\r$/, "")) : renderPrinted(entry, style)
}

/** `2026-11-22 08:58:22.364  greet 1f3a-7  Hello` */
export function renderPrinted(line: EnvLine, style: Style): string {
  const { time, stream, text, function: fn, call } = line
  const about =
    fn === undefined ? "" : `${style.bold(printableLine(fn))} ${style.dim(call ?? "")}`.trimEnd()
  const shown = printable(text)
  const parts = [
    style.dim(localTime(time)),
    about,
    stream === "stderr" ? style.yellow(shown) : shown,
  ]
  return parts.filter((part, index) => part !== "" || index === 2).join("  ")
}

function textOrNothing(value: unknown): string | undefined {
  return typeof value === "string" ? printableLine(value) : undefined
}
