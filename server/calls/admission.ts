import { BunhouseError } from "../../protocol/errors.ts"
import { HEADER_BYTES } from "../../protocol/frame.ts"
import {
  CALLS_IN_FLIGHT_MAX,
  ENV_QUEUE_BYTES_MAX,
  EXTRA_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
} from "../../protocol/limits.ts"
import type { FunctionRoute } from "./route.ts"

/** Why a call whose frame takes `bytes` is refused before it is queued; undefined when it is admitted. */
export function admissionRefusal(
  route: FunctionRoute,
  bytes: number,
  isTableFull: boolean,
): BunhouseError | undefined {
  const { env } = route
  if (env.refusal !== undefined) return env.refusal
  if (route.refusal !== undefined) return route.refusal
  if (bytes > FRAME_BYTES_MAX) return tooLarge(route, bytes)
  if (isTableFull) return overloaded(route, `${CALLS_IN_FLIGHT_MAX} calls are in flight`)
  const waits = route.index === undefined || env.link === undefined || !route.lane.hasPlace
  if (!waits) return undefined
  const { backlog } = env
  if (backlog.calls < env.spec.queue && backlog.bytes + bytes <= ENV_QUEUE_BYTES_MAX)
    return undefined
  return overloaded(
    route,
    `${backlog.calls} calls (${backlog.bytes} bytes) are waiting for the env`,
  )
}

/** The largest frame of a client that keeps to the limits. */
const FRAME_BYTES_MAX = HEADER_BYTES + EXTRA_BYTES_MAX + PAYLOAD_BYTES_MAX
const RETRY_AFTER_MS = 100

function overloaded({ env, address, info }: FunctionRoute, reason: string): BunhouseError {
  const message = `${address}: ${reason}, and no more are taken now`
  return new BunhouseError("OVERLOADED", message, {
    env: env.name,
    function: info.name,
    retryAfterMs: RETRY_AFTER_MS,
  })
}

function tooLarge({ env, address, info }: FunctionRoute, bytes: number): BunhouseError {
  const message = `${address}: the arguments take ${bytes} bytes, over the limit of ${PAYLOAD_BYTES_MAX}`
  return new BunhouseError("PAYLOAD_TOO_LARGE", message, { env: env.name, function: info.name })
}
