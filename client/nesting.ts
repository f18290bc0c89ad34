import { type CallExtra, encodeExtra } from "../protocol/extra.ts"
import type { CancelSource } from "./connection/aborts.ts"
import { type SurroundingCall, surroundingCall } from "./context.ts"

/**
 * What a call takes over from the call that its caller runs for, where that is a remote function.
 *
 * Invariants:
 * T1. It ends no later than the call around it: by the earlier of both deadlines, and with its cancel.
 * T2. What ends something (the release of an instance) is done also when the call around it was cancelled.
 * T3. It says how deep it is, also where the function around it has returned and left something running. Deadline and
 *     cancel are those of a call that still runs.
 */
export interface Nested {
  /** 0: none. */
  readonly timeoutMs: number
  readonly signal: CancelSource | undefined
  /** The metadata block of the call frame. */
  readonly extra: Uint8Array
  /** Of the call that it is made in, the daemon's id. */
  readonly around: number | undefined
}

/** At the moment of the call. */
export function nested(
  call: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
  extra: CallExtra = NOTHING,
  kind: NestedKind = "awaited",
): Nested {
  const around = surroundingCall()
  // Field by field: this is done for every call.
  if (around === undefined) {
    return {
      timeoutMs: call.timeoutMs,
      signal: call.signal,
      extra: encodeExtra(extra),
      around: undefined,
    }
  }
  const isApart = around.hasEnded || kind === "ending"
  return {
    timeoutMs: isApart ? call.timeoutMs : earlier(call.timeoutMs, around.leftMs),
    signal: isApart ? call.signal : sooner(call.signal, around),
    extra: encodeExtra(placedIn(around, extra, kind === "blocking")),
    around: around.daemonId,
  }
}

/** `blocking`: the function is blocked until the call ends. `ending`: T2. */
type NestedKind = "awaited" | "blocking" | "ending"

function placedIn(around: SurroundingCall, extra: CallExtra, blocks: boolean): CallExtra {
  const place = { depth: around.depth + 1, root: around.rootCallId }
  if (extra === NOTHING && !blocks) return place
  return { ...extra, ...place, ...(blocks && { blocks: around.blocked }) }
}

const NOTHING: CallExtra = {}

function earlier(timeoutMs: number, leftMs: number): number {
  if (timeoutMs === 0 || leftMs === 0) return timeoutMs + leftMs
  return Math.min(timeoutMs, leftMs)
}

function sooner(own: AbortSignal | undefined, around: SurroundingCall): CancelSource {
  if (own === undefined) return around.cancellation
  return own === around.signal ? own : AbortSignal.any([own, around.signal])
}
