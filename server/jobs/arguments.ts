import { payloadBytesMaxOf } from "../../protocol/env-spec.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { heldPayload, type OpenPayload } from "../calls/open-payload.ts"
import type { FunctionRoute } from "../calls/route.ts"

/** Of a job: as they are, or, where they are too large for one message, as they come. */
export type JobArguments = Uint8Array | OpenPayload

/** Whether they go into the record itself, which takes `recordBytesMax`. */
export function fitRecord(args: JobArguments, recordBytesMax: number): args is Uint8Array {
  return args instanceof Uint8Array && args.length <= recordBytesMax
}

/** Of those that do not. */
export function openArguments(args: JobArguments): OpenPayload {
  return args instanceof Uint8Array ? heldPayload(args) : args
}

/** How many bytes they take. Throws PAYLOAD_TOO_LARGE for what the env would refuse when the job runs. */
export function checkArguments({ address, env, info }: FunctionRoute, args: JobArguments): number {
  const bytes = args instanceof Uint8Array ? args.length : args.total
  const bytesMax = payloadBytesMaxOf(env.spec)
  if (bytes <= bytesMax) return bytes
  const message = `${address}: the arguments of the job take ${bytes} bytes, over the limit of ${bytesMax}: keep them with here.objects.put and pass what that returns, or give the env more payloadMiB`
  throw new BunhouseError("PAYLOAD_TOO_LARGE", message, { env: env.name, function: info.name })
}
