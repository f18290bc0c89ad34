import { BunhouseError } from "../../protocol/errors.ts"
import type { CallExtra } from "../../protocol/extra.ts"
import { callIdOf } from "../../protocol/hello.ts"
import { NESTING_MAX } from "../../protocol/limits.ts"
import type { Call } from "./call.ts"
import type { FunctionRoute } from "./route.ts"

/**
 * Whether a call that a remote function makes can end at all. Returns the call whose function is blocked until it does,
 * where there is one.
 *
 * What is seen here is certain: a place that is blocked until this call ends cannot be the one that it waits for. A circle
 * of functions that await each other is not seen, because they may be waiting for something else as well: their
 * deadlines end it.
 *
 * @throws {BunhouseError} DEADLOCK for one call too many in a chain, and for a call of which all places are taken by calls
 *   that are blocked until it ends.
 */
export function checkNesting(
  { depth = 0, root, blocks }: CallExtra,
  route: FunctionRoute,
  { bootId, callOf }: CallsKnown,
): Call | undefined {
  if (depth > NESTING_MAX) {
    const chain = `a chain of ${depth} calls inside of each other, begun by ${root}`
    throw refusal(`${chain}, is over the limit of ${NESTING_MAX}: does it end?`, route)
  }
  if (blocks === undefined) return undefined
  const blocked = callOf(blocks.id)
  // Ids are used again, and another daemon has calls of the same id.
  if (blocked === undefined || callIdOf(bootId, blocked.serial) !== blocks.callId) return undefined
  const { lane } = route
  const held = placesHeld(blocked, lane)
  if (held < lane.limit) return blocked
  const places = held === 1 ? "the only place" : `all ${held} places`
  const what = `a blocking call would wait for ever: ${places} that it could run in`
  const mend = "give the env more threads, or use .async(…) in an async function"
  throw refusal(`${what} is taken by what waits for it: ${mend}`, route)
}

/** What the daemon knows of calls in flight. */
export interface CallsKnown {
  readonly bootId: string
  /** By the id that env processes know it under. */
  readonly callOf: (id: number) => Call | undefined
}

function placesHeld(innermost: Call, lane: FunctionRoute["lane"]): number {
  let held = 0
  for (let call: Call | undefined = innermost; call !== undefined; call = call.blocked) {
    if (call.lane === lane && call.state === "sent") held++
  }
  return held
}

function refusal(reason: string, { address, env, info }: FunctionRoute): BunhouseError {
  const names = { env: env.name, function: info.name }
  return new BunhouseError("DEADLOCK", `${address}: ${reason}`, names)
}
