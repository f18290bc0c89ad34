import { BunhouseError } from "../protocol/errors.ts"

/** What a function can know about the call that it runs for. */
export interface CallContext {
  /** Fires when the call is cancelled, when its deadline passes, or when its caller goes away. */
  readonly signal: AbortSignal
  /** When the call must be finished; undefined when it may take as long as it likes. */
  readonly deadline: Date | undefined
  /** The id under which the caller, the daemon's log and errors know this call. */
  readonly callId: string
  readonly env: string
  readonly function: string
  /**
   * Says how far the call has come, 0 to 1, with a message of up to 500 characters: `job.status()` shows the last report.
   * Of more than about 20 reports a second some are left out.
   *
   * @throws {BunhouseError} INVALID_ARGUMENT for what is no number from 0 to 1.
   */
  readonly progress: (fraction: number, message?: string) => void
}

/**
 * The call that the surrounding code runs for. Inside of a remote function only.
 *
 * @throws {BunhouseError} INVALID_ARGUMENT outside of a remote function.
 */
export function context(): CallContext {
  const current = currentCall()
  if (current !== undefined) return current
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    "context() was called outside of a remote function: it tells about the call that a function runs for",
  )
}

/** Where this copy of the library runs: in a caller's own process, or inside of an env. */
export type RunsIn = "caller" | "env loop" | "env thread"

/** Set once by an env process for its own copy of the library. */
export function runInside(place: RunsIn, current: () => CallContext | undefined): void {
  runsIn = place
  currentCall = current
}

export function whereAmI(): RunsIn {
  return runsIn
}

let runsIn: RunsIn = "caller"
let currentCall: () => CallContext | undefined = () => undefined
