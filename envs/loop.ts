import { AsyncLocalStorage } from "node:async_hooks"
import { asBunhouseError } from "../protocol/errors.ts"
import { FrameFlag, type FrameReader, FrameType } from "../protocol/frame.ts"
import { slotOf } from "../protocol/slots.ts"
import type { StreamEnd } from "../protocol/streams/sender.ts"
import { type CallFacts, type ReportProgress, RunningCall } from "./call-context.ts"
import { CallStreams, replyStreamEnd } from "./call-streams.ts"
import type { OwnCall } from "./own-call.ts"
import type { LoopWatch } from "./watchdog/loop-watch.ts"
import {
  argumentsOf,
  extraOf,
  isThenable,
  type LoadedFunction,
  replyFailure,
  replyProgress,
  replyThrown,
  replyValue,
  type ResultSink,
} from "./run-call.ts"

/**
 * Runs functions on the event loop of the env process. A function that blocks blocks this env and nobody else.
 *
 * Invariant:
 * W1. Every call that was begun here is answered once, whatever its function does short of ending the process.
 */
export class Loop {
  readonly #facts: CallFacts
  readonly #sink: ResultSink
  readonly #report: ReportProgress
  readonly #storage: AsyncLocalStorage<RunningCall>
  /** By the slot of the daemon's id. */
  readonly #running: (RunningCall | undefined)[] = []

  readonly #watch: LoopWatch | undefined

  constructor(facts: CallFacts, sink: ResultSink, options: LoopOptions = {}) {
    const { watch, storage = new AsyncLocalStorage(), isOwn = false } = options
    this.#facts = facts
    this.#sink = sink
    this.#storage = storage
    this.#report = isOwn ? () => {} : (id, payload) => replyProgress(sink, id, payload)
    this.#watch = watch
  }

  current(): RunningCall | undefined {
    return this.#storage.getStore()
  }

  /** `own`: what is known of a call that this process makes to itself. */
  run(fn: LoadedFunction, frame: FrameReader, own?: OwnCall): void {
    const { id, flags, serial, timeoutMs } = frame
    const args = argumentsOf(frame, this.#sink)
    if (args === undefined) return
    const call = new RunningCall(
      this.#facts,
      fn.name,
      id,
      serial,
      timeoutMs,
      this.#report,
      own === undefined ? extraOf(frame) : own.extra,
    )
    call.version = fn.version
    if (own !== undefined) call.daemonId = own.around
    call.functionNumber = frame.target + 1
    call.wantsLogs = (flags & FrameFlag.logs) !== 0
    this.#running[slotOf(id)] = call
    this.#watch?.begin(call, fn)
    if (flags & (FrameFlag.stream | FrameFlag.streamedArguments)) {
      this.#runWithStreams(fn, call, flags, args)
    } else this.#run(fn, call, flags, args)
    this.#watch?.gaveWay(call)
  }

  /** Of a call that streams: more credit, or items of an argument. Legal for a call that has ended, or was never here. */
  flow(frame: FrameReader): void {
    const call = this.#running[slotOf(frame.id)]
    if (call?.id !== frame.id) return
    if (frame.type === FrameType.credit) call.streams?.credit(frame)
    else call.streams?.items(frame)
  }

  /** Legal for a call that has ended, or was never here. */
  cancel(id: number): void {
    const call = this.#running[slotOf(id)]
    if (call?.id === id) call.cancel()
  }

  cancelAll(): void {
    for (const call of this.#running) call?.cancel()
  }

  #run(fn: LoadedFunction, call: RunningCall, flags: number, args: unknown[]): void {
    let result: unknown
    try {
      result = this.#storage.run(call, fn.call, ...args)
      if (isThenable(result)) {
        const promise = result instanceof Promise ? result : Promise.resolve(result)
        promise.then(
          (value) => this.#returned(call, flags, value),
          (thrown: unknown) => this.#threw(call, flags, thrown),
        )
        return
      }
    } catch (thrown) {
      this.#threw(call, flags, thrown)
      return
    }
    this.#returned(call, flags, result)
  }

  #runWithStreams(fn: LoadedFunction, call: RunningCall, flags: number, args: unknown[]): void {
    const sink = this.#sink
    const { id } = call
    let streams: CallStreams
    try {
      const ended = (end: StreamEnd) => {
        this.#ended(call)
        replyStreamEnd(sink, call, flags, end)
      }
      const itemBytesMax = this.#facts.payloadBytesMax
      streams = new CallStreams({ sink, id, flags, itemBytesMax, ended }, args)
    } catch (error) {
      this.#ended(call)
      return replyFailure(sink, id, asBunhouseError(error, "reading the arguments"))
    }
    call.streams = streams
    if (!(flags & FrameFlag.stream)) return this.#run(fn, call, flags & FrameFlag.json, args)
    // The body of a generator runs when it is asked for an item: all of that within the context of the call.
    this.#storage.run(call, () => streams.call(() => fn.call(...args)))
  }

  #returned(call: RunningCall, flags: number, value: unknown): void {
    this.#ended(call)
    replyValue(this.#sink, call.id, flags, value)
  }

  #threw(call: RunningCall, flags: number, thrown: unknown): void {
    this.#ended(call)
    replyThrown(this.#sink, call.id, flags, thrown, call.version)
  }

  /** After a loss of the broker the daemon may have given the slot to another call, while this one went on. */
  #ended(call: RunningCall): void {
    this.#watch?.ended(call)
    call.end()
    const slot = slotOf(call.id)
    if (this.#running[slot] === call) this.#running[slot] = undefined
    call.streams?.close("has ended")
  }
}

interface LoopOptions {
  /** Undefined where nobody wants to know of a blocked loop. */
  readonly watch?: LoopWatch | undefined
  /** How functions know which call they run for. */
  readonly storage?: AsyncLocalStorage<RunningCall>
  /** Calls that this process makes to itself (own-calls.ts): the daemon does not know them. */
  readonly isOwn?: boolean
}
