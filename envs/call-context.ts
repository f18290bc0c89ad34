import { now, remainingMs } from "../protocol/deadlines.ts"
import type { BlockedCall, CallExtra } from "../protocol/extra.ts"
import { callIdOf } from "../protocol/hello.ts"
import { PROGRESS_REPORTS_MAX } from "../protocol/limits.ts"
import { encodeProgress } from "../protocol/progress.ts"
import { isOwnId } from "../protocol/slots.ts"
import type { Output } from "./output/output-log.ts"
import { ownDaemon, type SurroundingCall } from "../client/context.ts"
import type { Daemon } from "../client/daemon.ts"
import { Cancellation } from "./cancellation.ts"
import type { CallStreams } from "./call-streams.ts"

/** One running call, as its function sees it. What few functions ask for is made when they ask. */
export class RunningCall implements SurroundingCall {
  readonly env: string
  readonly function: string
  /** Under which whoever sent it knows the call: the daemon, or this process itself. */
  readonly id: number
  /** Whether the caller wants what the function prints. */
  wantsLogs = false
  /** Whether it was made by this process, so that the daemon does not know it. */
  readonly isOwn: boolean
  /** The daemon's id of the call, or of the outermost one around it that stays in this process. */
  daemonId: number
  /** By which the daemon knows its function, plus 1; 0 on a thread, which does not know. */
  functionNumber = 0
  /** Of the code that runs. */
  version = ""
  hasEnded = false
  /** Whether it counts among the sampled calls of envs/watchdog. */
  isSampled = false
  /** What it has printed; kept by envs/output. */
  output: Output | undefined = undefined
  onEnd: ((call: RunningCall) => void) | undefined = undefined
  /** Of a call whose result or arguments are streams. */
  streams: CallStreams | undefined = undefined
  readonly #bootId: string
  readonly #serial: number
  readonly #extra: CallExtra
  /** On the monotonic clock. */
  readonly #dueAt: number
  readonly #report: ReportProgress
  /** Reports that may pass, as of the last one. They come back at PROGRESS_REPORTS_MAX a second. */
  #reportsLeft = PROGRESS_REPORTS_MAX
  #reportedAt = 0
  #deadline: Date | undefined = undefined
  #cancellation: Cancellation | undefined = undefined

  constructor(
    about: CallFacts,
    functionName: string,
    id: number,
    serial: number,
    timeoutMs: number,
    report: ReportProgress,
    extra: CallExtra = NOTHING,
  ) {
    this.env = about.env
    this.function = functionName
    this.id = id
    this.daemonId = id
    this.isOwn = isOwnId(id)
    this.#bootId = this.isOwn ? about.ownBootId : about.bootId
    this.#serial = serial
    this.#report = report
    this.#dueAt = timeoutMs === 0 ? Number.POSITIVE_INFINITY : now() + timeoutMs
    this.#extra = extra
  }

  get callId(): string {
    return callIdOf(this.#bootId, this.#serial)
  }

  get deadline(): Date | undefined {
    if (this.#dueAt === Number.POSITIVE_INFINITY) return undefined
    return (this.#deadline ??= new Date(Date.now() + Math.ceil(this.#dueAt - now())))
  }

  get leftMs(): number {
    return remainingMs(this.#dueAt)
  }

  get here(): Daemon {
    return ownDaemon()
  }

  get depth(): number {
    return this.#extra.depth ?? 0
  }

  get rootCallId(): string {
    return this.#extra.root ?? this.callId
  }

  /** A thread's function is blocked by a blocking call, and with it those who are blocked until it ends. */
  get blocked(): BlockedCall {
    const { id, callId, env } = this
    if (!this.isOwn) return { known: { id, callId } }
    const { known, own } = this.#extra.blocks ?? {}
    return { ...(known && { known }), own: { env, threads: (own?.threads ?? 0) + 1 } }
  }

  get idempotencyKey(): string | undefined {
    return this.#extra.key
  }

  get signal(): AbortSignal {
    return this.cancellation.signal
  }

  get cancellation(): Cancellation {
    return (this.#cancellation ??= new Cancellation())
  }

  /** The function is done; its reply comes after this. */
  end(): void {
    this.onEnd?.(this)
    this.hasEnded = true
  }

  /** Also fit to be taken out of the context alone. */
  get progress(): SurroundingCall["progress"] {
    return (fraction, message) => this.#progress(fraction, message)
  }

  cancel(): void {
    this.cancellation.abort()
    this.streams?.cancel()
  }

  #progress(fraction: number, message: string | undefined): void {
    const payload = encodeProgress(fraction, message)
    const time = now()
    const back = ((time - this.#reportedAt) / 1_000) * PROGRESS_REPORTS_MAX
    const left = Math.min(PROGRESS_REPORTS_MAX, this.#reportsLeft + back)
    if (left < 1) return
    this.#reportsLeft = left - 1
    this.#reportedAt = time
    this.#report(this.id, payload)
  }
}

/** Sends the payload of a progress frame about the call `id` towards the daemon. */
export type ReportProgress = (id: number, payload: Uint8Array) => void

/** What all calls of one env process have in common. */
export interface CallFacts {
  readonly env: string
  /** In the ids of calls that come from the daemon. */
  readonly bootId: string
  /** In the ids of calls that the process makes to itself. */
  readonly ownBootId: string
  /** Of the arguments, and of the result, of one of them. */
  readonly payloadBytesMax: number
  /** The daemon's, where the library cannot find it in the state folder. */
  readonly token?: string | undefined
}

const NOTHING: CallExtra = {}
