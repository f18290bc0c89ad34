import type { FrameReader } from "../../protocol/frame.ts"
import { readLoopStack } from "../../protocol/loop-stack.ts"
import type { Call } from "./call.ts"
import type { CallsInFlight } from "./calls-in-flight.ts"
import type { EnvLink } from "./route.ts"

/** What an env process has noticed about itself, in the daemon's words. */
export interface Report {
  /** One of `ReportKind`. */
  readonly kind: number
  /** Milliseconds, or how many. */
  readonly amount: number
  /** The call that it is about, where it is known and has not been answered. */
  readonly call: Call | undefined
  /** Its function, or the one of its env that it has called without leaving the process. */
  readonly function: string | undefined
  /** The other calls of the process: all of them go through its loop, those on threads too. */
  readonly others: readonly Call[]
  /** Where the loop was, innermost first, where that was seen. */
  readonly stack: readonly string[]
}

/** What an env process says of itself, or its watchdog; `id` is the daemon's id of a call. */
export interface About {
  readonly kind: number
  readonly id: number
  readonly amount: number
  /** By which calls of the function go to the process, plus 1; 0 where it does not say. */
  readonly functionNumber: number
  readonly stack?: readonly string[]
}

/** Of the report frame that `frame` stands on. */
export function reportIn(frame: FrameReader): About {
  const { target: kind, id, timeoutMs: amount, serial: functionNumber, payload } = frame
  return { kind, id, amount, functionNumber, stack: readLoopStack(payload) }
}

/** `id` is a peer's word: what is about no call that was sent to `link` is about none. */
export function reportOf(
  calls: CallsInFlight,
  link: EnvLink,
  { kind, id, amount, functionNumber, stack = [] }: About,
): Report {
  const found = calls.get(id)
  const call = found?.link === link ? found : undefined
  const others: Call[] = []
  for (const other of calls) {
    if (other.link === link && other !== call) others.push(other)
  }
  const fn = call && (nameOf(call, functionNumber - 1) ?? call.route.info.name)
  return { kind, amount, call, function: fn, others, stack }
}

/** Who is blamed, with its env. */
export function addressIn({ call, function: fn }: Report): string | undefined {
  return call === undefined ? undefined : `${call.route.env.name}/${fn ?? call.route.info.name}`
}

/** Undefined where no function of the env has that number any more. */
function nameOf({ route }: Call, index: number): string | undefined {
  const { functions, instances } = route.env
  for (const each of [...functions.values(), ...instances.values()]) {
    if (each.index === index) return each.info.name
  }
  return undefined
}
