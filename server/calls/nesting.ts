import { BunhouseError } from "../../protocol/errors.ts"
import type { CallExtra } from "../../protocol/extra.ts"
import { NESTING_MAX } from "../../protocol/limits.ts"
import type { FunctionRoute } from "./route.ts"

/** Throws DEADLOCK for a call that a remote function makes and that would be one too many in its chain. */
export function checkNesting({ depth = 0, root }: CallExtra, route: FunctionRoute): void {
  if (depth <= NESTING_MAX) return
  const message = `${route.address}: a chain of ${depth} calls that wait for each other, begun by ${root}, is over the limit of ${NESTING_MAX}: does it end?`
  throw refusal(message, route)
}

function refusal(message: string, { env, info }: FunctionRoute): BunhouseError {
  return new BunhouseError("DEADLOCK", message, { env: env.name, function: info.name })
}
