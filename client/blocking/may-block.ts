import { BunhouseError } from "../../protocol/errors.ts"
import { whereAmI } from "../context.ts"
import type { Names } from "../outcome.ts"

/** Throws DEADLOCK inside of an env's event loop, which must not be blocked, and CANCELLED where the signal has fired. */
export function checkMayBlock(names: Names, signal: AbortSignal | undefined): void {
  const { env, function: name } = names
  if (whereAmI() === "env loop") {
    const message = `a blocking call of ${env}/${name} inside of an env's event loop would stop that env: use .async(…) and await it`
    throw new BunhouseError("DEADLOCK", message, names)
  }
  if (!signal?.aborted) return
  const message = `${env}/${name}: the call was cancelled by its caller`
  const cause: unknown = signal.reason
  throw new BunhouseError("CANCELLED", message, { ran: "no", ...names, cause })
}
