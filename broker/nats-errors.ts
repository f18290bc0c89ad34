import { errors } from "@nats-io/nats-core"
import { asBunhouseError, BunhouseError } from "../protocol/errors.ts"

/** What the client library and the broker say, as errors of ours. */

export function tooLong(what: string, max: number): BunhouseError {
  return new BunhouseError("PAYLOAD_TOO_LARGE", `${what} is over the limit of ${max} bytes`)
}

export function away(): BunhouseError {
  return new BunhouseError("UNAVAILABLE", "there is no connection to the broker at the moment")
}

export function requestError(error: unknown, subject: string, timeoutMs: number): BunhouseError {
  // The library wraps what the server said into an error of its own.
  const cause = error instanceof errors.RequestError ? (error.cause ?? error) : error
  if (cause instanceof BunhouseError) return cause
  if (cause instanceof errors.TimeoutError) {
    return new BunhouseError(
      "DEADLINE_EXCEEDED",
      `no answer on ${subject} within ${timeoutMs} ms`,
      { cause },
    )
  }
  if (cause instanceof errors.NoRespondersError) {
    return new BunhouseError("UNAVAILABLE", `nobody listens on ${subject}`, { cause })
  }
  return cause instanceof errors.PermissionViolationError
    ? statusError(cause)
    : asBunhouseError(cause, `a request on ${subject}`)
}

export function statusError(error: Error): BunhouseError {
  if (error instanceof errors.PermissionViolationError) {
    const doing = error.operation === "publish" ? "publish to" : "subscribe to"
    const message = `the broker does not allow this user to ${doing} ${error.subject}`
    return new BunhouseError("PERMISSION_DENIED", message, { cause: error })
  }
  if (
    error instanceof errors.AuthorizationError ||
    error instanceof errors.UserAuthenticationExpiredError
  ) {
    const message = `the broker refuses the credentials: ${error.message}`
    return new BunhouseError("UNAUTHENTICATED", message, { cause: error })
  }
  return asBunhouseError(error, "the broker connection")
}
