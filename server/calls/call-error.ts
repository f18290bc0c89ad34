import { BunhouseError, type ErrorCode, type Ran, toErrorRecord } from "../../protocol/errors.ts"
import { callIdOf } from "../../protocol/hello.ts"
import type { Call } from "./call.ts"

/** The end of a call that the platform failed. */
export function callError(
  bootId: string,
  call: Call,
  code: ErrorCode,
  ran: Ran,
  reason: string,
): BunhouseError {
  const { route } = call
  return new BunhouseError(code, `${route.address}: ${reason}`, {
    ran,
    env: route.env.name,
    function: route.info.name,
    callId: callIdOf(bootId, call.serial),
    ...(call.version !== undefined && { version: call.version }),
  })
}

/** The same error for a call that waited: whatever it was about, this is what is known of that call (C2, C5). */
export function withRan(error: BunhouseError, ran: Ran): BunhouseError {
  if (error.ran === ran) return error
  const { code, message, cause } = error
  return new BunhouseError(code, message, { ...toErrorRecord(error), ran, cause })
}
