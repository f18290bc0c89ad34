/**
 * What a function leaves behind and throws later (a timer, a promise nobody awaits) is logged and stops nobody: the call
 * it came from was answered, and other calls are running. For the loop and for each thread.
 */
export function outliveLateErrors(): void {
  process.on("uncaughtException", (error) => report("uncaught exception", error))
  process.on("unhandledRejection", (error) => report("unhandled rejection", error))
}

function report(what: string, error: unknown): void {
  process.stderr.write(
    `bunhouse: ${what} in a function, after its call ended:\n${describe(error)}\n`,
  )
}

/** Whatever was thrown can be described: its getters are the function's own code. */
function describe(error: unknown): string {
  try {
    return Bun.inspect(error)
  } catch {
    return "a value that cannot be shown"
  }
}
