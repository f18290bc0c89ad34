import { BunhouseError, fromErrorRecord } from "../protocol/errors.ts"
import { FILES_TYPE, JSON_TYPE, PROTOCOL_HEADER } from "../protocol/http.ts"
import { CONTROL_TIMEOUT_MS, SEND_MS_PER_MIB_MAX } from "../protocol/limits.ts"
import { PROTOCOL_VERSION } from "../protocol/version.ts"
import { type Address, noDaemon, noToken } from "./settings.ts"
import { isUntrusted, untrusted } from "./untrusted.ts"

/** Requests to the daemon that are not calls: JSON over HTTP, or bytes: a shipped folder, an object. */
export class Control {
  readonly #address: () => Address
  #hadContact = false

  constructor(address: () => Address) {
    this.#address = address
  }

  /**
   * `keepsConnection`: for the next request; false for one beside another that takes its time.
   *
   * @throws {BunhouseError} the daemon's refusal; NO_DAEMON when nobody answers; UNAVAILABLE when whoever answers is no
   *   daemon, or cannot be trusted; DEADLINE_EXCEEDED.
   */
  async request(
    method: "GET" | "PUT" | "POST" | "DELETE",
    path: string,
    body?: object,
    timeoutMs: number = CONTROL_TIMEOUT_MS,
    keepsConnection = true,
  ): Promise<unknown> {
    const response = await this.send(method, path, {
      timeoutMs,
      keepsConnection,
      ...(body instanceof Uint8Array
        ? { body, type: FILES_TYPE }
        : body !== undefined && { body: JSON.stringify(body) }),
    })
    const answer: unknown = await response.json().catch(() => undefined)
    if (typeof answer === "object" && answer !== null) return answer
    throw noBunhouse(this.#address().url)
  }

  /** Whether somebody answered before. */
  get hadContact(): boolean {
    return this.#hadContact
  }

  /**
   * As `request`, with whatever body, and the answer not read yet.
   *
   * @throws {BunhouseError} as `request`.
   */
  async send(method: string, path: string, options: SendOptions = {}): Promise<Response> {
    const response = await this.exchange(method, path, options)
    if (response.ok) return response
    const answer: unknown = await response.json().catch(() => undefined)
    if (typeof answer !== "object" || answer === null) throw noBunhouse(this.#address().url)
    throw fromErrorRecord("error" in answer ? answer.error : undefined)
  }

  /** As `send`, but a refusal is an answer, too, unless it is for want of a token; and what `signal` was aborted with is thrown as it is. */
  async exchange(method: string, path: string, options: SendOptions): Promise<Response> {
    const { body, type = JSON_TYPE, timeoutMs = CONTROL_TIMEOUT_MS, signal } = options
    const { keepsConnection = true, headers = {} } = options
    const address = this.#address()
    const { url, token } = address
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": type,
        [PROTOCOL_HEADER]: String(PROTOCOL_VERSION),
        ...headers,
      },
      signal: signal ?? AbortSignal.timeout(timeoutMs),
      // As for calls: the daemon is addressed directly, and its token is no business of a proxy.
      proxy: false,
      // The deadline is the signal's; without this, Bun gives up on an answer that takes five minutes.
      timeout: false,
      keepalive: keepsConnection,
      ...(body !== undefined && { body }),
    }).catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "AbortError") throw error
      throw unreachable(url, method, path, timeoutMs, error)
    })
    this.#hadContact = true
    const refused = response.status === 401 ? noToken(address) : undefined
    if (refused === undefined) return response
    await response.body?.cancel()
    throw refused
  }
}

export interface SendOptions {
  readonly body?: string | Uint8Array
  /** Default: JSON. */
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Until the answer is there; default CONTROL_TIMEOUT_MS. */
  readonly timeoutMs?: number
  /** Ends the request, and reading its answer, in place of `timeoutMs`. */
  readonly signal?: AbortSignal
  /** As for `request`. */
  readonly keepsConnection?: boolean
}

/** How long an answer to a request may take whose body takes its time to be sent. */
export function sendingMs(body: Uint8Array): number {
  const mebibytes = Math.floor(body.length / (1024 * 1024))
  return CONTROL_TIMEOUT_MS + mebibytes * SEND_MS_PER_MIB_MAX
}

function noBunhouse(url: string): BunhouseError {
  return new BunhouseError("UNAVAILABLE", `whoever listens at ${url} is no bunhouse daemon`)
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
  return isUntrusted(cause) ? untrusted(url, cause) : noDaemon(url, cause)
}
