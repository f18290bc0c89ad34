import { BunhouseError } from "../../protocol/errors.ts"
import { payloadBytesMaxOf } from "../../protocol/env-spec.ts"
import { FrameFlag, type FrameReader, HEADER_BYTES } from "../../protocol/frame.ts"
import {
  CALLS_IN_FLIGHT_MAX,
  ENV_QUEUE_BYTES_MAX,
  EXTRA_BYTES_MAX,
  OVERLOADED_RETRY_AFTER_MS,
  PAYLOAD_BYTES_MAX,
} from "../../protocol/limits.ts"
import { payloadBytesOf } from "../../protocol/parts/part.ts"
import type { FunctionRoute } from "./route.ts"

/** Why the call that `frame` stands on is refused before it is queued; undefined when it is admitted. */
export function admissionRefusal(
  route: FunctionRoute,
  frame: FrameReader,
  isTableFull: boolean,
): BunhouseError | undefined {
  const { env } = route
  const bytes = frame.end - frame.start
  const payloadBytes = payloadBytesOf(frame)
  const payloadBytesMax = payloadBytesMaxOf(env.spec)
  if (env.refusal !== undefined) return env.refusal
  if (route.refusal !== undefined) return route.refusal
  if (bytes > FRAME_BYTES_MAX) return tooLarge(route, payloadBytes, PAYLOAD_BYTES_MAX)
  if (payloadBytes > payloadBytesMax) return tooLarge(route, payloadBytes, payloadBytesMax)
  if (isTableFull) return overloaded(route, `${CALLS_IN_FLIGHT_MAX} calls are in flight`)
  const isLater = (frame.flags & FrameFlag.later) !== 0
  const waits = route.index === undefined || env.link === undefined || !route.lane.hasPlace
  if (!waits && !isLater) return undefined
  const { backlog } = env
  if (backlog.calls < env.spec.queue && backlog.bytes + bytes <= ENV_QUEUE_BYTES_MAX)
    return undefined
  const calls = `${backlog.calls} of at most ${env.spec.queue} calls`
  const size = `${backlog.bytes} of at most ${ENV_QUEUE_BYTES_MAX} bytes`
  return overloaded(route, `${calls} wait for the env, with ${size}`)
}

/** The largest frame of a client that keeps to the limits. */
const FRAME_BYTES_MAX = HEADER_BYTES + EXTRA_BYTES_MAX + PAYLOAD_BYTES_MAX

function overloaded({ env, address, info }: FunctionRoute, reason: string): BunhouseError {
  const message = `${address}: ${reason}, and no more are taken now`
  return new BunhouseError("OVERLOADED", message, {
    env: env.name,
    function: info.name,
    retryAfterMs: OVERLOADED_RETRY_AFTER_MS,
  })
}

function tooLarge(
  { env, address, info }: FunctionRoute,
  bytes: number,
  bytesMax: number,
): BunhouseError {
  const mend =
    "keep them with here.objects.put and pass what that returns, or give the env more payloadMiB"
  const message = `${address}: the arguments take ${bytes} bytes, over the limit of ${bytesMax}: ${mend}`
  return new BunhouseError("PAYLOAD_TOO_LARGE", message, { env: env.name, function: info.name })
}
