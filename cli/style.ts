import type { Environment } from "../protocol/home.ts"

/** Emphasis for terminals; the plain style leaves text as it is. */
export type Style = Readonly<Record<keyof typeof CODES, (text: string) => string>>

export function makeStyle(hasColor: boolean): Style {
  const paint = ([on, off]: readonly [number, number]) => {
    return (text: string) => (hasColor && text !== "" ? `\u001b[${on}m${text}\u001b[${off}m` : text)
  }
  return {
    bold: paint(CODES.bold),
    dim: paint(CODES.dim),
    red: paint(CODES.red),
    green: paint(CODES.green),
    yellow: paint(CODES.yellow),
  }
}

/** Colour only for a person who did not forbid it (https://no-color.org). */
export function wantsColor(environment: Environment, isTerminal: boolean): boolean {
  return isTerminal && (environment["NO_COLOR"] ?? "") === "" && environment["TERM"] !== "dumb"
}

/** SGR codes: on, off. */
const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
} as const
