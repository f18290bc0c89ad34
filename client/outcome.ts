import { decodePayload } from "../protocol/codec/index.ts"
import { asBunhouseError, BunhouseError, decodeErrorRecord } from "../protocol/errors.ts"
import { readOrigin } from "../protocol/origin.ts"
import { FrameFlag, type FrameReader, FrameType } from "../protocol/frame.ts"

/** What `error.remote` says of an error that a remote function threw. */
export interface RemoteInfo {
  readonly env: string
  readonly function: string
  readonly callId: string
  /** Of the code that threw, which may be another than that of the handle. Undefined for what a job threw. */
  readonly version: string | undefined
  /** The stack as it was where the function ran. */
  readonly stack: string | undefined
}

/** How a call ended. */
export type Outcome =
  | { readonly kind: "returned"; readonly value: unknown; readonly wasPromise: boolean }
  | { readonly kind: "threw"; readonly thrown: unknown; readonly wasPromise: boolean }

/** Names of the function that was called. */
export interface Names {
  readonly env: string
  readonly function: string
}

/**
 * Reads the reply that `frame` stands on.
 *
 * @throws nothing: a platform error is an outcome like any other.
 */
export function readOutcome(frame: FrameReader, names: Names, callId: () => string): Outcome {
  const { bytes, payloadStart, end, type, flags } = frame
  const wasPromise = (flags & FrameFlag.promised) !== 0
  try {
    if (type === FrameType.reply) {
      return { kind: "returned", value: decodePayload(bytes, payloadStart, end), wasPromise }
    }
    const isThrown = (flags & FrameFlag.thrown) !== 0
    if (!isThrown) return { kind: "threw", thrown: decodeErrorRecord(frame.payload), wasPromise }
    const thrown = decodePayload(bytes, payloadStart, end)
    const { version, who } = readOrigin(frame.extra)
    addRemoteInfo(thrown, who ?? names, who?.callId ?? callId(), version)
    return { kind: "threw", thrown, wasPromise }
  } catch (cause) {
    // What came back cannot be read, but it did come back.
    const { code, message } = asBunhouseError(cause, "reading the reply")
    const { env, function: fn } = names
    const details = { ran: "yes", env, function: fn, callId: callId(), cause } as const
    const thrown = new BunhouseError(code, `${env}/${fn}: ${message}`, details)
    return { kind: "threw", thrown, wasPromise }
  }
}

/** Adds `error.remote` to an error. */
export function addRemoteInfo(
  thrown: unknown,
  names: Names,
  callId: string,
  version?: string,
): void {
  if (!Error.isError(thrown)) return
  const remote: RemoteInfo = {
    env: names.env,
    function: names.function,
    callId,
    version,
    stack: thrown.stack,
  }
  Object.defineProperty(thrown, "remote", { value: remote, enumerable: false, configurable: true })
}
