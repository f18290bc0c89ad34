import { callIdOf } from "../protocol/hello.ts"
import type { Output } from "./output/output-log.ts"
import type { CallContext } from "../client/context.ts"
import type { CallStreams } from "./call-streams.ts"

/** One running call, as its function sees it. What few functions ask for is made when they ask. */
export class RunningCall implements CallContext {
  readonly env: string
  readonly function: string
  /** The daemon's id of the call. */
  readonly id: number
  /** Whether the caller wants what the function prints. */
  wantsLogs = false
  hasEnded = false
  /** What it has printed; kept by envs/output. */
  output: Output | undefined = undefined
  onEnd: (() => void) | undefined = undefined
  /** Of a call whose result or arguments are streams. */
  streams: CallStreams | undefined = undefined
  readonly #bootId: string
  readonly #serial: number
  readonly #dueAt: number
  #controller: AbortController | undefined = undefined
  #cancelled = false

  constructor(
    about: CallFacts,
    functionName: string,
    id: number,
    serial: number,
    timeoutMs: number,
  ) {
    this.env = about.env
    this.function = functionName
    this.id = id
    this.#bootId = about.bootId
    this.#serial = serial
    this.#dueAt = timeoutMs === 0 ? 0 : Date.now() + timeoutMs
  }

  get callId(): string {
    return callIdOf(this.#bootId, this.#serial)
  }

  get deadline(): Date | undefined {
    return this.#dueAt === 0 ? undefined : new Date(this.#dueAt)
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#cancelled) this.#controller.abort(cancelReason())
    }
    return this.#controller.signal
  }

  /** The function is done; its reply comes after this. */
  end(): void {
    this.onEnd?.()
    this.hasEnded = true
  }

  cancel(): void {
    this.#cancelled = true
    this.#controller?.abort(cancelReason())
    this.streams?.cancel()
  }
}

/** What all calls of one env process have in common. */
export interface CallFacts {
  readonly env: string
  readonly bootId: string
}

function cancelReason(): DOMException {
  return new DOMException("the call was cancelled, or its deadline passed", "AbortError")
}
