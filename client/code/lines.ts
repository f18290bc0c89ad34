/**
 * Lines and columns as Bun counts them in stacks: both from 1, columns in UTF-16 units.
 */

export interface Position {
  readonly line: number
  readonly column: number
}

// Bun's source maps end a line where ECMAScript does.
const LINE_END = /\r\n|[\n\r\u2028\u2029]/g

/** The offset of a position, or undefined where the text has no such place. */
export function offsetAt(text: string, { line, column }: Position): number | undefined {
  let start = 0
  let seen = 1
  for (const end of text.matchAll(LINE_END)) {
    if (seen === line) break
    start = end.index + end[0].length
    seen++
  }
  const offset = start + column - 1
  return seen === line && offset < text.length ? offset : undefined
}

export function positionAt(text: string, offset: number): Position {
  let start = 0
  let line = 1
  for (const end of text.matchAll(LINE_END)) {
    const next = end.index + end[0].length
    if (next > offset) break
    start = next
    line++
  }
  return { line, column: offset - start + 1 }
}
