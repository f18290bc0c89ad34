import { checkTimeoutMs } from "../protocol/deadlines.ts"
import type { FunctionInfo } from "../protocol/function-spec.ts"
import { checkKnown } from "./known-options.ts"
import type { Link } from "./link.ts"
import { logSink, type OnLog } from "./logs.ts"
import type { Names } from "./outcome.ts"
import type { CallOptions } from "./remote.ts"

/** What every way of calling one function needs of its options, resolved once. */
export interface CallSettings {
  readonly names: Names
  /** 0 for no deadline. */
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly onLog: OnLog | undefined
}

const KNOWN = {
  timeoutMs: true,
  signal: true,
  retries: true,
  idempotencyKey: true,
  onLog: true,
  stream: true,
  job: true,
} as const

/** Throws INVALID_ARGUMENT for a deadline that is none, and for options that there are not. */
export function settingsOf(parts: {
  readonly link: Link
  readonly info: FunctionInfo
  readonly options: CallOptions
}): CallSettings {
  const { link, info, options } = parts
  checkKnown("with()", options, KNOWN)
  if (options.stream) checkKnown("the option stream", options.stream, { window: true })
  return {
    names: { env: info.env, function: info.name },
    timeoutMs: checkTimeoutMs(options.timeoutMs === undefined ? info.timeoutMs : options.timeoutMs),
    signal: options.signal,
    onLog: logSink(options.onLog ?? link.onLog),
  }
}
