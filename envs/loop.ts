import { AsyncLocalStorage } from "node:async_hooks"
import { FrameFlag, type FrameReader } from "../protocol/frame.ts"
import { slotOf } from "../protocol/slots.ts"
import { type CallFacts, RunningCall } from "./call-context.ts"
import {
  argumentsOf,
  isThenable,
  type LoadedFunction,
  replyThrown,
  replyValue,
  type ReplySink,
} from "./run-call.ts"

/**
 * Runs functions on the event loop of the env process. A function that blocks blocks this env and nobody else.
 *
 * Invariant:
 * W1. Every call that was begun here is answered once, whatever its function does short of ending the process.
 */
export class Loop {
  readonly #facts: CallFacts
  readonly #sink: ReplySink
  readonly #storage = new AsyncLocalStorage<RunningCall>()
  /** By the slot of the daemon's id. */
  readonly #running: (RunningCall | undefined)[] = []

  constructor(facts: CallFacts, sink: ReplySink) {
    this.#facts = facts
    this.#sink = sink
  }

  current(): RunningCall | undefined {
    return this.#storage.getStore()
  }

  run(fn: LoadedFunction, frame: FrameReader): void {
    const { id, flags, serial, timeoutMs } = frame
    const args = argumentsOf(frame, this.#sink)
    if (args === undefined) return
    const call = new RunningCall(this.#facts, fn.name, id, serial, timeoutMs)
    call.wantsLogs = (flags & FrameFlag.logs) !== 0
    this.#running[slotOf(id)] = call
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

  /** Legal for a call that has ended, or was never here. */
  cancel(id: number): void {
    const call = this.#running[slotOf(id)]
    if (call?.id === id) call.cancel()
  }

  cancelAll(): void {
    for (const call of this.#running) call?.cancel()
  }

  #returned(call: RunningCall, flags: number, value: unknown): void {
    this.#ended(call)
    replyValue(this.#sink, call.id, flags, value)
  }

  #threw(call: RunningCall, flags: number, thrown: unknown): void {
    this.#ended(call)
    replyThrown(this.#sink, call.id, flags, thrown)
  }

  /** After a loss of the broker the daemon may have given the slot to another call, while this one went on. */
  #ended(call: RunningCall): void {
    call.end()
    const slot = slotOf(call.id)
    if (this.#running[slot] === call) this.#running[slot] = undefined
  }
}
