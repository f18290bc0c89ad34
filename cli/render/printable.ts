/**
 * Text that somebody else wrote, made fit for a terminal: control characters, line separators and bidi controls are
 * shown as escapes, so that no log line can move the cursor, forge another line or hide what it says. Line breaks and
 * tabs stay.
 */
export function printable(text: string): string {
  return text.replace(HARMFUL, (char) => {
    const code = (char.codePointAt(0) ?? 0).toString(16)
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`
  })
}

/** As `printable`, within one line. */
export function printableLine(text: string): string {
  return printable(text.replaceAll("\n", "\\n").replaceAll("\t", "\\t"))
}

const HARMFUL = /(?![\n\t])[\p{Cc}\u2028\u2029\p{Bidi_Control}]/gu
