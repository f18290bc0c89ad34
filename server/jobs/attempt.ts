import {
  asBunhouseError,
  BunhouseError,
  decodeErrorRecord,
  encodeErrorRecord,
} from "../../protocol/errors.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { decodeProgress, type Progress } from "../../protocol/progress.ts"
import type { StoredContent } from "../../protocol/stored-content.ts"
import type { Call, Caller } from "../calls/call.ts"
import type { CallDesk } from "../calls/call-desk.ts"
import type { Dispatcher } from "../calls/dispatcher.ts"
import { FedPayload } from "../calls/fed-payload.ts"
import { heldPayload } from "../calls/open-payload.ts"
import type { FunctionRoute } from "../calls/route.ts"
import type { StoredPayloads } from "../payloads/stored-payloads.ts"
import { StoredResult } from "../payloads/stored-result.ts"
import type { JobArguments } from "./arguments.ts"
import type { Outcome } from "./verdict.ts"

export interface AttemptOptions {
  readonly dispatcher: Dispatcher
  readonly payloads: StoredPayloads
  /** A longer result is one of `payloads`. */
  readonly resultBytesMax: number
  readonly route: FunctionRoute
  /** Large ones are read as the env process asks for them. */
  readonly args: JobArguments
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
  const { route, signal } = options
  if (signal.aborted) return Promise.resolve(failed(cancelled(route, "no")))
  const desk = deskOf(options)
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const caller = new JobCaller(resolve, (call) => desk.cancel(call), options)
  const call = desk.submit(caller, callFrame(options), route)
  if (call === undefined) return promise
  options.onCall(call.serial)
  const cancel = () => caller.giveUp(call, cancelled(route, call.ran))
  signal.addEventListener("abort", cancel, { once: true })
  return promise.finally(() => signal.removeEventListener("abort", cancel))
}

function callFrame({ args, isJson, timeoutMs }: AttemptOptions): FrameReader {
  const writer = new FrameWriter()
  const flags = FrameFlag.logs | (isJson ? FrameFlag.json : 0)
  if (args instanceof Uint8Array) writer.write(FrameType.call, flags, 0, 0, timeoutMs, 0, args)
  else writer.write(FrameType.call, flags | FrameFlag.parts, 0, 0, timeoutMs, args.total)
  const frame = new FrameReader()
  frame.open(writer.take())
  frame.next()
  return frame
}

/** Nobody else waits for the call of a job: to leave it is to cancel it. */
function deskOf({ dispatcher, args }: AttemptOptions): CallDesk {
  const cancel = (call: Call) => dispatcher.cancel(call)
  const desk: CallDesk = {
    submit: (caller, frame, to) => dispatcher.submit(caller, frame, to),
    cancel,
    leave: cancel,
  }
  return args instanceof Uint8Array ? desk : new FedPayload(desk, args)
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
  readonly #cancel: (call: Call) => void
  readonly #options: AttemptOptions
  /** A result that comes in parts. */
  #result: StoredResult | undefined
  #isOver = false

  constructor(
    resolve: (outcome: Outcome) => void,
    cancel: (call: Call) => void,
    options: AttemptOptions,
  ) {
    this.#resolve = resolve
    this.#cancel = cancel
    this.#options = options
  }

  /** The call is not wanted any more. */
  giveUp(call: Call, error: BunhouseError): void {
    this.#cancel(call)
    this.#end(failed(error))
  }

  deliver(_callerId: number, frame: FrameReader): void {
    const isThrown = (frame.flags & FrameFlag.thrown) !== 0
    if (frame.type === FrameType.error && !isThrown) {
      return this.#end(failed(decodeErrorRecord(frame.payload)))
    }
    if (this.#result !== undefined && !isThrown) return void this.#finish(this.#result.finish())
    // `slice` of a Buffer would be a view of a batch that is used again.
    const payload = new Uint8Array(frame.payload)
    const { payloads, resultBytesMax } = this.#options
    if (payload.length > resultBytesMax && !isThrown) {
      return void this.#finish(payloads.write(heldPayload(payload)))
    }
    this.#end({ kind: isThrown ? "thrown" : "value", payload })
  }

  fail(_callerId: number, error: BunhouseError): void {
    this.#end(failed(error))
  }

  log(_callerId: number, frame: FrameReader, { serial }: Call): void {
    this.#options.onLines(frame, serial)
  }

  /** No job streams; its result may come in parts. */
  flow(_callerId: number, frame: FrameReader, call: Call): void {
    if (frame.type !== FrameType.part) return
    const failedWith = (error: BunhouseError) => this.giveUp(call, error)
    const { payloads } = this.#options
    this.#result ??= new StoredResult({ payloads, call, failed: failedWith })
    this.#result.add(frame)
  }

  progressed(frame: FrameReader): void {
    const progress = decodeProgress(frame.payload)
    if (progress !== undefined) this.#options.onProgress(progress)
  }

  /** The store has to have all of the result before the call counts as ended. Never rejects. */
  async #finish(keeping: Promise<StoredContent>): Promise<void> {
    try {
      const large = await keeping
      if (this.#isOver) this.#options.payloads.drop(large)
      else this.#end({ kind: "value", payload: NOTHING, large })
    } catch (cause) {
      const { code, message } = asBunhouseError(cause, "keeping the result")
      this.#end(failed(new BunhouseError(code, message, { ran: "yes", cause })))
    }
  }

  #end(outcome: Outcome): void {
    if (this.#isOver) return
    this.#isOver = true
    if (outcome.large === undefined) this.#result?.giveUp()
    this.#resolve(outcome)
  }
}

const NOTHING = new Uint8Array(0)
