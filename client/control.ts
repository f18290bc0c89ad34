import { BunhouseError, fromErrorRecord } from "../protocol/errors.ts"
import { PROTOCOL_HEADER } from "../protocol/http.ts"
import { CONTROL_TIMEOUT_MS } from "../protocol/limits.ts"
import { PROTOCOL_VERSION } from "../protocol/version.ts"
import { type Address, noDaemon } from "./settings.ts"

/** Requests to the daemon that are not calls: JSON over HTTP. */
export class Control {
  readonly #address: () => Address

  constructor(address: () => Address) {
    this.#address = address
  }

  /**
   * @throws {BunhouseError} the daemon's refusal; NO_DAEMON when nobody answers; UNAVAILABLE when whoever answers is no
   *   daemon; DEADLINE_EXCEEDED.
   */
  async request(
    method: "GET" | "PUT" | "POST" | "DELETE",
    path: string,
    body?: object,
    timeoutMs: number = CONTROL_TIMEOUT_MS,
  ): Promise<unknown> {
    const { url, token } = this.#address()
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        [PROTOCOL_HEADER]: String(PROTOCOL_VERSION),
      },
      signal: AbortSignal.timeout(timeoutMs),
      // As for calls: the daemon is addressed directly, and its token is no business of a proxy.
      proxy: false,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw unreachable(url, method, path, timeoutMs, error)
    })
    const answer: unknown = await response.json().catch(() => undefined)
    if (typeof answer !== "object" || answer === null) {
      throw new BunhouseError("UNAVAILABLE", `whoever listens at ${url} is no bunhouse daemon`)
    }
    if (!response.ok) throw fromErrorRecord("error" in answer ? answer.error : undefined)
    return answer
  }
}

function unreachable(
  url: string,
  method: string,
  path: string,
  timeoutMs: number,
  cause: unknown,
): BunhouseError {
  if (cause instanceof DOMException && cause.name === "TimeoutError") {
    const message = `the daemon at ${url} did not answer ${method} ${path} within ${timeoutMs} ms`
    return new BunhouseError("DEADLINE_EXCEEDED", message, { cause })
  }
  return noDaemon(url, cause)
}
