import { BunhouseError, encodeErrorRecord, type Ran } from "../../protocol/errors.ts"
import { NO_EXTRA } from "../../protocol/extra.ts"
import { type FrameReader, FrameType } from "../../protocol/frame.ts"
import type { Call, Caller } from "../calls/call.ts"
import { LogCollector } from "../../protocol/log-lines.ts"
import type { CallDesk } from "../calls/call-desk.ts"
import type { FunctionRoute } from "../calls/route.ts"
import { LargeResult } from "./large-result.ts"

/** How a call over plain HTTP ended, or its result when that is too large to wait for. */
export type SingleOutcome = WholeOutcome | LargeResult

/** In the words of a reply or error frame. The payload is a copy; after a large result there is none. */
export interface WholeOutcome {
  readonly kind: "whole"
  readonly type: FrameType
  readonly flags: number
  readonly serial: number
  readonly payload: Uint8Array<ArrayBuffer>
  /** What stands beside the payload in the frame. */
  readonly extra: Uint8Array
  /** What the function printed. */
  readonly logs: LogCollector
}

/**
 * Makes the one call of one HTTP request. When `signal` fires (the client went away), nobody waits for the call
 * and the outcome does not matter.
 */
export function singleCall(options: {
  readonly desk: CallDesk
  readonly route: FunctionRoute
  /** Stands on the call. */
  readonly frame: FrameReader
  readonly signal: AbortSignal
}): Promise<SingleOutcome> {
  const { signal, route, desk } = options
  // The caller may have gone while its request was read; then the signal does not fire any more.
  if (signal.aborted) return Promise.resolve(failed(gone("no"), 0))
  const caller = new SingleCaller(() => cancel())
  const call = desk.submit(caller, options.frame, route)
  if (call === undefined) return caller.outcome
  route.hold()
  const cancel = () => {
    desk.leave(call)
    caller.end(failed(gone("maybe"), call.serial))
  }
  signal.addEventListener("abort", cancel, { once: true })
  caller.onEnd = () => {
    signal.removeEventListener("abort", cancel)
    route.letGo()
  }
  return caller.outcome
}

function gone(ran: Ran): BunhouseError {
  return new BunhouseError("CANCELLED", "the caller went away", { ran })
}

/** The outcome of a call that the platform failed. */
export function failed(error: BunhouseError, serial: number): WholeOutcome {
  const payload = encodeErrorRecord(error)
  const about = { kind: "whole", type: FrameType.error, flags: 0, serial } as const
  return { ...about, payload, extra: NO_EXTRA, logs: new LogCollector() }
}

class SingleCaller implements Caller {
  readonly outcome: Promise<SingleOutcome>
  /** Called once nothing of the call is open any more. */
  onEnd: (() => void) | undefined
  readonly #resolve: (outcome: SingleOutcome) => void
  readonly #cancel: () => void
  readonly #logs = new LogCollector()
  #large: LargeResult | undefined

  constructor(cancel: () => void) {
    const outcome = Promise.withResolvers<SingleOutcome>()
    this.outcome = outcome.promise
    this.#resolve = outcome.resolve
    this.#cancel = cancel
  }

  end(outcome: WholeOutcome): void {
    this.onEnd?.()
    this.onEnd = undefined
    if (this.#large === undefined) this.#resolve(outcome)
    else this.#large.end(outcome)
  }

  deliver(_callerId: number, frame: FrameReader, { serial }: Call): void {
    const type = frame.type === FrameType.reply ? FrameType.reply : FrameType.error
    // `slice` of a Buffer would be a view of a batch that is used again.
    const payload = new Uint8Array(frame.payload)
    const extra = new Uint8Array(frame.extra)
    const { flags } = frame
    this.end({ kind: "whole", type, flags, serial, payload, extra, logs: this.#logs })
  }

  log(_callerId: number, frame: FrameReader): void {
    this.#logs.add(frame)
  }

  /** Of streams it has granted nothing. */
  flow(_callerId: number, frame: FrameReader, call: Call): void {
    if (frame.type !== FrameType.part) return
    if (this.#large === undefined) {
      this.#large = new LargeResult(call, this.#cancel)
      this.#resolve(this.#large)
    }
    this.#large.add(frame)
  }

  fail(_callerId: number, error: BunhouseError, { serial }: Call): void {
    this.end({ ...failed(error, serial), logs: this.#logs })
  }
}
