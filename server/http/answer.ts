import {
  asBunhouseError,
  type BunhouseError,
  ERROR_CODES,
  toErrorRecord,
} from "../../protocol/errors.ts"
import { JSON_TYPE } from "../../protocol/http.ts"

export function jsonResponse(body: object, status = 200): Response {
  return answer(`${JSON.stringify(body)}\n`, JSON_TYPE, status)
}

/** An answer of the type `type`; every answer of the daemon forbids caching and sniffing. */
export function answer(
  body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  type: string,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(body, {
    status,
    headers: {
      "content-type": type,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...headers,
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
