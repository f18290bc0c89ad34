import { checkTimeoutMs } from "../../protocol/deadlines.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { TIMEOUT_HEADER } from "../../protocol/http.ts"
import { DEPLOY_TIMEOUT_MS_DEFAULT, DEPLOY_TIMEOUT_MS_MAX } from "../../protocol/limits.ts"

/** The deadline of a call, 0 for none; `otherwise` where the request names none. Throws INVALID_ARGUMENT. */
export function callTimeoutOf(request: Request, otherwise: number): number {
  return checkTimeoutMs(headerOf(request) ?? otherwise)
}

/** The deadline of each attempt of a job: none unless the header says otherwise. Throws INVALID_ARGUMENT. */
export function jobTimeoutOf(request: Request): number {
  return checkTimeoutMs(headerOf(request) ?? 0)
}

/** The time that the top-level code of a function gets. Throws INVALID_ARGUMENT. */
export function loadTimeoutOf(request: Request): number {
  const timeoutMs = headerOf(request) ?? DEPLOY_TIMEOUT_MS_DEFAULT
  if (timeoutMs >= 1 && timeoutMs <= DEPLOY_TIMEOUT_MS_MAX) return timeoutMs
  throw refusal(`from 1 to ${DEPLOY_TIMEOUT_MS_MAX}`, String(timeoutMs))
}

function headerOf(request: Request): number | undefined {
  const given = request.headers.get(TIMEOUT_HEADER)
  if (given === null) return undefined
  // `Number` alone takes an empty header for 0, which means no deadline.
  if (/^\d{1,15}$/.test(given)) return Number(given)
  throw refusal("as a whole number", given.slice(0, 40))
}

function refusal(expected: string, given: string): BunhouseError {
  return new BunhouseError(
    "INVALID_ARGUMENT",
    `expected the header ${TIMEOUT_HEADER} to give milliseconds ${expected}, got ${JSON.stringify(given)}`,
  )
}
