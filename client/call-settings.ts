import { checkTimeoutMs } from "../protocol/deadlines.ts"
import type { FunctionInfo } from "../protocol/function-spec.ts"
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

/** Throws INVALID_ARGUMENT for a deadline that is none. */
export function settingsOf(parts: {
  readonly link: Link
  readonly info: FunctionInfo
  readonly options: CallOptions
}): CallSettings {
  const { link, info, options } = parts
  return {
    names: { env: info.env, function: info.name },
    timeoutMs: checkTimeoutMs(options.timeoutMs === undefined ? info.timeoutMs : options.timeoutMs),
    signal: options.signal,
    onLog: logSink(options.onLog ?? link.onLog),
  }
}
