import { BunhouseError } from "../../protocol/errors.ts"
import type { FunctionRoute } from "../calls/route.ts"
import type { Asker } from "./asker.ts"

export function conflict({ call: { route }, key }: Asker): BunhouseError {
  const message = `${route.address}: the idempotency key ${JSON.stringify(key)} was used with other arguments: use a key for one call only`
  return new BunhouseError("IDEMPOTENCY_CONFLICT", message, {
    env: route.env.name,
    function: route.info.name,
  })
}

export function isStream({ env, address, info }: FunctionRoute): BunhouseError {
  const message = `${address}: a call with streams takes no idempotency key: what it streams is told once`
  return new BunhouseError("INVALID_ARGUMENT", message, { env: env.name, function: info.name })
}

export function unknowable(route: FunctionRoute): BunhouseError {
  const message = `${route.address}: the daemon was started anew since the call was first tried, and does not know whether it ran`
  return new BunhouseError("DAEMON_LOST", message, {
    env: route.env.name,
    function: route.info.name,
  })
}
