import { BunhouseError, encodeErrorRecord, type Ran } from "../../protocol/errors.ts"
import { NO_EXTRA } from "../../protocol/extra.ts"
import { type FrameReader, FrameType } from "../../protocol/frame.ts"
import type { Call, Caller } from "../calls/call.ts"
import { LogCollector } from "../../protocol/log-lines.ts"
import type { CallDesk } from "../calls/call-desk.ts"
import type { FunctionRoute } from "../calls/route.ts"

/** How a call over plain HTTP ended, in the words of a reply or error frame. The payload is a copy. */
export interface SingleOutcome {
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
  const { signal, route } = options
  // The caller may have gone while its request was read; then the signal does not fire any more.
  if (signal.aborted) return Promise.resolve(failed(gone("no"), 0))
  const { promise, resolve } = Promise.withResolvers<SingleOutcome>()
  const call = options.desk.submit(new SingleCaller(resolve), options.frame, route)
  if (call === undefined) return promise
  route.hold()
  const cancel = () => {
    options.desk.leave(call)
    resolve(failed(gone("maybe"), call.serial))
  }
  signal.addEventListener("abort", cancel, { once: true })
  return promise.finally(() => {
    signal.removeEventListener("abort", cancel)
    route.letGo()
  })
}

function gone(ran: Ran): BunhouseError {
  return new BunhouseError("CANCELLED", "the caller went away", { ran })
}

/** The outcome of a call that the platform failed. */
export function failed(error: BunhouseError, serial: number): SingleOutcome {
  const payload = encodeErrorRecord(error)
  const about = { type: FrameType.error, flags: 0, serial } as const
  return { ...about, payload, extra: NO_EXTRA, logs: new LogCollector() }
}

class SingleCaller implements Caller {
  readonly #resolve: (outcome: SingleOutcome) => void
  readonly #logs = new LogCollector()

  constructor(resolve: (outcome: SingleOutcome) => void) {
    this.#resolve = resolve
  }

  deliver(_callerId: number, frame: FrameReader, { serial }: Call): void {
    const type = frame.type === FrameType.reply ? FrameType.reply : FrameType.error
    // `slice` of a Buffer would be a view of a batch that is used again.
    const payload = new Uint8Array(frame.payload)
    const extra = new Uint8Array(frame.extra)
    this.#resolve({ type, flags: frame.flags, serial, payload, extra, logs: this.#logs })
  }

  log(_callerId: number, frame: FrameReader): void {
    this.#logs.add(frame)
  }

  flow(): void {
    // One answer is all that this caller takes: it has granted nothing.
  }

  fail(_callerId: number, error: BunhouseError, { serial }: Call): void {
    this.#resolve({ ...failed(error, serial), logs: this.#logs })
  }
}
