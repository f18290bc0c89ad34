import { BunhouseError } from "../../protocol/errors.ts"
import type { CallExtra, OwnThreads } from "../../protocol/extra.ts"
import { callIdOf } from "../../protocol/hello.ts"
import { NESTING_MAX } from "../../protocol/limits.ts"
import type { Call } from "./call.ts"
import type { FunctionRoute } from "./route.ts"

/**
 * Whether a call that a remote function makes can end at all. Returns what is blocked until it does, where anything is.
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
): Blocked | undefined {
  if (depth > NESTING_MAX) {
    const chain = `a chain of ${depth} calls inside of each other, begun by ${root}`
    throw refusal(`${chain}, is over the limit of ${NESTING_MAX}: does it end?`, route)
  }
  if (blocks === undefined) return undefined
  const { known, own } = blocks
  const found = known === undefined ? undefined : callOf(known.id)
  // Ids are used again, and another daemon has calls of the same id.
  const call = found && callIdOf(bootId, found.serial) === known?.callId ? found : undefined
  const blocked = { call, own }
  const held = placesHeld(blocked, route)
  if (held < route.lane.limit) return blocked
  const places = held === 1 ? "the only place" : `all ${held} places`
  const what = `a blocking call would wait for ever: ${places} that it could run in`
  const mend = "give the env more threads, or use .async(…) in an async function"
  throw refusal(`${what} is taken by what waits for it: ${mend}`, route)
}

/** Who is blocked until a call ends: one that the daemon knows, and inside of it some that it does not. */
export interface Blocked {
  readonly call: Call | undefined
  readonly own: OwnThreads | undefined
}

/** What the daemon knows of calls in flight. */
export interface CallsKnown {
  readonly bootId: string
  /** By the id that env processes know it under. */
  readonly callOf: (id: number) => Call | undefined
}

function placesHeld(innermost: Blocked, { lane, env }: FunctionRoute): number {
  let held = 0
  for (let each: Blocked | undefined = innermost; each !== undefined; each = each.call?.blocked) {
    const { call, own } = each
    if (own?.env === env.name && lane === env.lanes.thread) held += own.threads
    if (call?.lane === lane && call.state === "sent") held++
  }
  return held
}

function refusal(reason: string, { address, env, info }: FunctionRoute): BunhouseError {
  const names = { env: env.name, function: info.name }
  return new BunhouseError("DEADLOCK", `${address}: ${reason}`, names)
}
