/** What went wrong, in one line, for a message that says what was being done. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.trim().replaceAll(/\s*\n\s*/g, "; ")
}
