import { BunhouseError, toErrorRecord } from "../errors.ts"
import { buildError, builtInClassOf, completeError, isError } from "./error-value.ts"

/** What can be said of a thrown value that cannot travel: class, name, message and stack of an error, words otherwise. */

const TEXT_LENGTH_MAX = 64 * 1024

export function summaryOf(thrown: unknown): Error {
  try {
    if (isError(thrown)) return summaryOfError(thrown)
  } catch {
    // A Proxy may answer nothing at all; then it is told like any other value.
  }
  const words = said(() => Bun.inspect(thrown))
  return buildError("Error", `a value that cannot be sent was thrown: ${words}`, "Error")
}

function summaryOfError(thrown: Error): Error {
  const name = said(() => thrown.name)
  const message = said(() => thrown.message)
  const stack = said(() => thrown.stack)
  const parts = thrown instanceof BunhouseError ? ["record", toErrorRecord(thrown)] : []
  return completeError(buildError(builtInClassOf(thrown), message, name), stack, parts)
}

function said(read: () => unknown): string {
  try {
    return String(read()).slice(0, TEXT_LENGTH_MAX)
  } catch {
    return "(it throws when it is read)"
  }
}
