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
  readonly stack?: readonly string[]
}

/** Of the report frame that `frame` stands on. */
export function reportIn({ target: kind, id, timeoutMs: amount, payload }: FrameReader): About {
  return { kind, id, amount, stack: readLoopStack(payload) }
}

/** `id` is a peer's word: what is about no call that was sent to `link` is about none. */
export function reportOf(
  calls: CallsInFlight,
  link: EnvLink,
  { kind, id, amount, stack = [] }: About,
): Report {
  const found = calls.get(id)
  const call = found?.link === link ? found : undefined
  const others: Call[] = []
  for (const other of calls) {
    if (other.link === link && other !== call) others.push(other)
  }
  return { kind, amount, call, others, stack }
}
