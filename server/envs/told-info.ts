import type { FunctionInfo } from "../../protocol/function-spec.ts"
import { CALL_TIMEOUT_MS_DEFAULT } from "../../protocol/limits.ts"

/** What a client is told of a function: with the deadline that the spec of its env gives to calls that name none. */
export function toldInfo(info: FunctionInfo, env: { readonly timeoutMs: number }): FunctionInfo {
  const { timeoutMs } = env
  return timeoutMs === CALL_TIMEOUT_MS_DEFAULT ? info : { ...info, timeoutMs }
}
