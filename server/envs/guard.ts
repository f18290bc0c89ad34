/** Reads one record of the store; what cannot be read is reported, and does not keep the others from being read. */
export function guard(problem: (line: string) => void, what: string, read: () => void): void {
  try {
    read()
  } catch (error) {
    problem(
      `${what} in the store cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
