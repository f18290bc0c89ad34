import { BunhouseError, type ErrorCode, type Ran } from "../../protocol/errors.ts"
import type { OutgoingCall } from "./pending.ts"

/** The errors that a connection makes itself, of calls that the daemon has not answered. */
export function cancelled(call: OutgoingCall, ran: Ran, reason: unknown): BunhouseError {
  const { env, function: fn } = call
  const message = `${env}/${fn}: the call was cancelled by its caller`
  return new BunhouseError("CANCELLED", message, { ran, env, function: fn, cause: reason })
}

export function failure(
  call: OutgoingCall,
  code: ErrorCode,
  ran: Ran,
  reason: string,
  retryAfterMs?: number,
): BunhouseError {
  const { env, function: fn } = call
  const about = { ran, env, function: fn, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  return new BunhouseError(code, `${env}/${fn}: ${reason}`, about)
}
