import { BunhouseError } from "./errors.ts"
import { Fields, parseJson } from "./fields.ts"
import { PROGRESS_MESSAGE_LENGTH_MAX } from "./limits.ts"

/** How far a call has come, in its function's own words. It is the payload of a progress frame, as JSON. */
export interface Progress {
  /** 0 to 1. */
  readonly fraction: number
  readonly message?: string
}

/** What a function reports. Throws INVALID_ARGUMENT for what is no fraction; a message is cut to its limit. */
export function encodeProgress(fraction: unknown, message?: unknown): Uint8Array {
  if (typeof fraction !== "number" || !(fraction >= 0 && fraction <= 1)) {
    const text = `expected progress to be a number from 0 to 1, got ${String(fraction).slice(0, 40)}`
    throw new BunhouseError("INVALID_ARGUMENT", text)
  }
  const progress: Progress = {
    fraction,
    ...(typeof message === "string" && { message: cut(message) }),
  }
  return Buffer.from(JSON.stringify(progress))
}

/** Reads what an env process sent; undefined where it is no progress. */
export function decodeProgress(payload: Uint8Array): Progress | undefined {
  try {
    return readProgress(parseJson("progress", Buffer.from(payload).toString()))
  } catch {
    return undefined
  }
}

export function readProgress(input: unknown): Progress {
  const fields = new Fields("the progress of a call", input)
  const fraction = fields.unknown("fraction")
  const message = fields.optionalText("message")
  if (typeof fraction !== "number" || !(fraction >= 0 && fraction <= 1)) {
    throw new BunhouseError("INVALID_ARGUMENT", "expected a fraction from 0 to 1")
  }
  return { fraction, ...(message !== undefined && { message: cut(message) }) }
}

function cut(message: string): string {
  return message.slice(0, PROGRESS_MESSAGE_LENGTH_MAX)
}
