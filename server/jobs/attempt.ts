import { BunhouseError, decodeErrorRecord, encodeErrorRecord } from "../../protocol/errors.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { decodeProgress, type Progress } from "../../protocol/progress.ts"
import type { Call, Caller } from "../calls/call.ts"
import type { Dispatcher } from "../calls/dispatcher.ts"
import type { FunctionRoute } from "../calls/route.ts"
import type { Outcome } from "./verdict.ts"

export interface AttemptOptions {
  readonly dispatcher: Dispatcher
  readonly route: FunctionRoute
  readonly args: Uint8Array
  readonly isJson: boolean
  /** 0 for no deadline. */
  readonly timeoutMs: number
  /** Cancels the call. */
  readonly signal: AbortSignal
  /** The call was admitted under this number. */
  readonly onCall: (serial: number) => void
  readonly onProgress: (progress: Progress) => void
  /** `frame` stands on lines that the call with this number printed. */
  readonly onLines: (frame: FrameReader, serial: number) => void
}

/** Makes one call for a job, like any other caller. Never rejects. */
export function attempt(options: AttemptOptions): Promise<Outcome> {
  const { dispatcher, route, args, isJson, timeoutMs, signal } = options
  if (signal.aborted) return Promise.resolve(failed(cancelled(route, "no")))
  const writer = new FrameWriter()
  // The store takes no more than a frame.
  const flags = FrameFlag.whole | FrameFlag.logs | (isJson ? FrameFlag.json : 0)
  writer.write(FrameType.call, flags, 0, 0, timeoutMs, 0, args)
  const frame = new FrameReader()
  frame.open(writer.take())
  frame.next()
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const call = dispatcher.submit(new JobCaller(resolve, options), frame, route)
  if (call === undefined) return promise
  options.onCall(call.serial)
  const cancel = () => {
    const { ran } = call
    dispatcher.cancel(call)
    resolve(failed(cancelled(route, ran)))
  }
  signal.addEventListener("abort", cancel, { once: true })
  return promise.finally(() => signal.removeEventListener("abort", cancel))
}

/** The outcome of an attempt that the platform failed. */
export function failed(error: BunhouseError): Outcome {
  return { kind: "failed", payload: encodeErrorRecord(error), error }
}

export function cancelled(names: { readonly address: string }, ran: "no" | "maybe"): BunhouseError {
  return new BunhouseError("CANCELLED", `${names.address}: the job was cancelled`, { ran })
}

class JobCaller implements Caller {
  readonly #resolve: (outcome: Outcome) => void
  readonly #options: AttemptOptions

  constructor(resolve: (outcome: Outcome) => void, options: AttemptOptions) {
    this.#resolve = resolve
    this.#options = options
  }

  deliver(_callerId: number, frame: FrameReader): void {
    const isThrown = (frame.flags & FrameFlag.thrown) !== 0
    if (frame.type === FrameType.error && !isThrown) {
      this.#resolve(failed(decodeErrorRecord(frame.payload)))
      return
    }
    // `slice` of a Buffer would be a view of a batch that is used again.
    const payload = new Uint8Array(frame.payload)
    this.#resolve({ kind: isThrown ? "thrown" : "value", payload })
  }

  fail(_callerId: number, error: BunhouseError): void {
    this.#resolve(failed(error))
  }

  log(_callerId: number, frame: FrameReader, { serial }: Call): void {
    this.#options.onLines(frame, serial)
  }

  /** No job streams. */
  flow(): void {}

  progressed(frame: FrameReader): void {
    const progress = decodeProgress(frame.payload)
    if (progress !== undefined) this.#options.onProgress(progress)
  }
}
