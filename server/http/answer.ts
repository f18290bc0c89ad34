import {
  asBunhouseError,
  type BunhouseError,
  ERROR_CODES,
  toErrorRecord,
} from "../../protocol/errors.ts"

/** An answer with JSON; every answer of the daemon forbids caching and sniffing. */
export function jsonResponse(body: object, status = 200): Response {
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  })
}

/** A platform error: its status from the table, `{"error": record}` as the body. */
export function errorResponse(error: BunhouseError): Response {
  const response = jsonResponse({ error: toErrorRecord(error) }, ERROR_CODES[error.code].status)
  if (error.retryAfterMs !== undefined) {
    response.headers.set("retry-after", String(Math.ceil(error.retryAfterMs / 1000)))
  }
  return response
}

/** The answer for whatever a handler threw. */
export function thrownResponse(error: unknown, doing: string): Response {
  return errorResponse(asBunhouseError(error, doing))
}
