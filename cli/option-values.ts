import { BunhouseError } from "../protocol/errors.ts"

/** Values of options, as people write them. `option` begins the message of a refusal. */

/** Reads `500ms`, `2s`, `1.5m`, `1h` or `0`. Throws INVALID_ARGUMENT. */
export function parseDurationMs(option: string, text: string): number {
  if (text === "0") return 0
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  const ms = Number(amount) * (UNITS_MS.get(unit) ?? Number.NaN)
  if (Number.isFinite(ms)) return ms
  throw refused(option, "a time such as 500ms, 2s or 5m, or 0", text)
}

/** Reads a port, 0 to 65535. Throws INVALID_ARGUMENT. */
export function parsePort(option: string, text: string): string {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return text
  throw refused(option, "a port from 0 to 65535", text)
}

/** Reads a number of lines. Throws INVALID_ARGUMENT. */
export function parseCount(option: string, text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text)
  throw refused(option, "a whole number up to 9999999", text)
}

function refused(option: string, expected: string, text: string): BunhouseError {
  const message = `expected ${option} to be ${expected}, got ${JSON.stringify(text)}`
  return new BunhouseError("INVALID_ARGUMENT", message)
}

const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
])
