/**
 * Every error that bunhouse itself makes. What a function throws is not here: it arrives as it was thrown.
 *
 * The one fact a retry needs is `ran`: whether the function ran ("yes"), did not ("no"), or may have ("maybe").
 * Codes mean the same on WebSocket, HTTP, blocking calls and the command line. docs/errors.md is tested against
 * this table.
 */

export type Ran = "no" | "yes" | "maybe"

interface CodeEntry {
  /** HTTP status of an answer that carries the code. */
  readonly status: number
  /** What the caller may assume when the error says nothing better. */
  readonly ran: Ran
  /** Exit code of the command line. */
  readonly exit: number
}

/** The closed set of codes. */
export const ERROR_CODES = {
  INVALID_ARGUMENT: { status: 400, ran: "no", exit: 2 },
  VALUE_NOT_SENDABLE: { status: 400, ran: "no", exit: 2 },
  FUNCTION_NOT_SENDABLE: { status: 400, ran: "no", exit: 2 },
  PAYLOAD_TOO_LARGE: { status: 413, ran: "no", exit: 2 },
  PROTOCOL_ERROR: { status: 400, ran: "no", exit: 2 },
  UNAUTHENTICATED: { status: 401, ran: "no", exit: 3 },
  PERMISSION_DENIED: { status: 403, ran: "no", exit: 3 },
  NOT_FOUND: { status: 404, ran: "no", exit: 4 },
  DEPLOY_FAILED: { status: 422, ran: "no", exit: 5 },
  ENV_FAILED: { status: 503, ran: "no", exit: 5 },
  OVERLOADED: { status: 429, ran: "no", exit: 6 },
  UNAVAILABLE: { status: 503, ran: "no", exit: 6 },
  NO_DAEMON: { status: 503, ran: "no", exit: 7 },
  VERSION_MISMATCH: { status: 426, ran: "no", exit: 7 },
  IDEMPOTENCY_CONFLICT: { status: 422, ran: "no", exit: 2 },
  DEADLOCK: { status: 409, ran: "no", exit: 1 },
  DEADLINE_EXCEEDED: { status: 504, ran: "maybe", exit: 8 },
  CANCELLED: { status: 499, ran: "maybe", exit: 8 },
  STATE_LOST: { status: 410, ran: "no", exit: 9 },
  WORKER_LOST: { status: 502, ran: "maybe", exit: 9 },
  BROKER_LOST: { status: 502, ran: "maybe", exit: 9 },
  DAEMON_LOST: { status: 502, ran: "maybe", exit: 9 },
  INTERNAL: { status: 500, ran: "maybe", exit: 70 },
} as const satisfies Record<string, CodeEntry>

export type ErrorCode = keyof typeof ERROR_CODES

/** What may be said beside code and message; all of it travels. */
interface ErrorDetails {
  /** Env the call was for. */
  readonly env?: string
  /** Function the call was for. */
  readonly function?: string
  readonly callId?: string
  /** Version of the function that the call was handed to. */
  readonly version?: string
  /** Where in the arguments or the result the trouble is, such as `args[0].user.save`. */
  readonly path?: string
  /** With OVERLOADED and UNAVAILABLE: when a retry is worth while, in milliseconds. */
  readonly retryAfterMs?: number
}

export interface BunhouseErrorOptions extends ErrorDetails {
  /** Defaults to what the code's table entry says. */
  readonly ran?: Ran
  readonly cause?: unknown
}

/** A failure of the platform, not of the function that was called. */
export class BunhouseError extends Error {
  override readonly name = "BunhouseError"
  readonly code: ErrorCode
  readonly ran: Ran
  declare readonly env?: string
  declare readonly function?: string
  declare readonly callId?: string
  declare readonly version?: string
  declare readonly path?: string
  declare readonly retryAfterMs?: number

  constructor(code: ErrorCode, message: string, options: BunhouseErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined)
    this.code = code
    this.ran = options.ran ?? ERROR_CODES[code].ran
    if (options.env !== undefined) this.env = options.env
    if (options.function !== undefined) this.function = options.function
    if (options.callId !== undefined) this.callId = options.callId
    if (options.version !== undefined) this.version = options.version
    if (options.path !== undefined) this.path = options.path
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs
  }
}

/** A platform error as it travels: plain JSON. */
export interface ErrorRecord extends ErrorDetails {
  readonly code: ErrorCode
  readonly message: string
  readonly ran: Ran
}

export function toErrorRecord(error: BunhouseError): ErrorRecord {
  const { code, message, ran, env, function: fn, callId, version, path, retryAfterMs } = error
  return {
    code,
    message,
    ran,
    ...(env !== undefined && { env }),
    ...(fn !== undefined && { function: fn }),
    ...(callId !== undefined && { callId }),
    ...(version !== undefined && { version }),
    ...(path !== undefined && { path }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  }
}

/** Rebuilds an error from the wire; anything that is not a known record becomes INTERNAL, never an exception. */
export function fromErrorRecord(record: unknown): BunhouseError {
  const given = isRecord(record) ? record : {}
  const code = isErrorCode(given["code"]) ? given["code"] : "INTERNAL"
  const ran = isRan(given["ran"]) ? given["ran"] : ERROR_CODES[code].ran
  const message = text(given["message"]) ?? "the peer reported an error that cannot be read"
  const { env, path, callId, version, retryAfterMs } = given
  return new BunhouseError(code, message, {
    ran,
    ...(typeof env === "string" && { env }),
    ...(typeof given["function"] === "string" && { function: given["function"] }),
    ...(typeof callId === "string" && { callId }),
    ...(typeof version === "string" && { version }),
    ...(typeof path === "string" && { path }),
    ...(isDuration(retryAfterMs) && { retryAfterMs }),
  })
}

/** A platform error as the payload of an error frame. */
export function encodeErrorRecord(error: BunhouseError): Uint8Array<ArrayBuffer> {
  return Buffer.from(JSON.stringify(toErrorRecord(error)))
}

export function decodeErrorRecord(bytes: Uint8Array): BunhouseError {
  try {
    return fromErrorRecord(JSON.parse(Buffer.from(bytes).toString()))
  } catch {
    return fromErrorRecord(undefined)
  }
}

/** What every call of an instance that is no more ends with. `name` is `<class>/<id>`. */
export function stateLost(env: string, name: string, reason: string): BunhouseError {
  const message = `${env}/${name}: the instance is gone, and its state with it: ${reason}`
  return new BunhouseError("STATE_LOST", message, { env, function: name, ran: "no" })
}

/** The error itself when it is ours, otherwise INTERNAL with it as the cause. */
export function asBunhouseError(error: unknown, doing: string): BunhouseError {
  if (error instanceof BunhouseError) return error
  return new BunhouseError("INTERNAL", `${doing} failed: ${reasonOf(error)}`, { cause: error })
}

/** What an error says; whatever was thrown can be asked. */
function reasonOf(error: unknown): string {
  try {
    const reason: unknown = error instanceof Error ? error.message : error
    return String(reason)
  } catch {
    return "for a reason that cannot be read"
  }
}

function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_CODES, value)
}

function isRan(value: unknown): value is Ran {
  return value === "no" || value === "yes" || value === "maybe"
}

function isDuration(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined
}
