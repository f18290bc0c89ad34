import { WATCH_FD } from "../../protocol/env-control.ts"
import { CONNECTION_ID, FrameType, ReportKind } from "../../protocol/frame.ts"
import {
  LOOP_SAMPLE_MS_MIN,
  LOOP_SAMPLE_REST_MS,
  LOOP_SAMPLED_CALLS,
} from "../../protocol/limits.ts"
import { encodeLoopStack } from "../../protocol/loop-stack.ts"
import { programPath } from "../../protocol/root.ts"
import type { RunningCall } from "../call-context.ts"
import type { LoadedFunction, ReplySink } from "../run-call.ts"
import {
  blockingCall,
  blockingFunction,
  heartMemory,
  NO_CALL,
  ticks,
  type WatchdogStart,
  Word,
} from "./heart.ts"
import { StackSampler } from "./stack-sampler.ts"

/**
 * Notices that a call has blocked the event loop, and reports which one: ahead of its reply, so that its caller can be
 * told. The watchdog thread sees it from outside, and tells the daemon when it lasts.
 *
 * Who it was: the call whose function was running when the loop stopped, where it had not given way yet (`await`) or was
 * the only one. Otherwise the call that ends next has probably done it; where none ends, nobody is named.
 *
 * Where it was: the loop's stack is sampled during the first calls of each function, and during all calls once one has
 * blocked, so often that every block is seen. What is seen of a loop that turns is forgotten.
 *
 * Invariants:
 * Z3. A call costs some stores to memory and no clock. There is a timer only while there are calls, and some time after.
 * Z4. The thread starts with the first call, and ends with the process.
 * Z5. Nothing is sampled as long as no call has blocked, but for the first calls of each function.
 */
export class LoopWatch {
  readonly #words = new Int32Array(heartMemory())
  readonly #loopBlockMs: number
  readonly #sink: ReplySink
  readonly #fd: number
  #hasThread = false
  #timer: Timer | undefined
  #idleBeats = 0
  #calls = 0
  #ids = 0
  #functions = 0
  #steps = 0
  readonly #sampler: StackSampler
  /** Calls on the loop that are sampled. */
  #sampled = 0
  #hasBlocked = false

  /** `loopBlockMs` is not 0. Lines about a loop that stands still go to `fd`, a pipe of the daemon's. */
  constructor(loopBlockMs: number, sink: ReplySink, fd = WATCH_FD) {
    this.#loopBlockMs = loopBlockMs
    this.#sink = sink
    this.#fd = fd
    this.#words[Word.running] = NO_CALL
    this.#words[Word.late] = 1 // Z2
    const sampleMs = Math.max(LOOP_SAMPLE_MS_MIN, Math.floor(loopBlockMs / 4))
    this.#sampler = new StackSampler(Math.min(sampleMs, LOOP_SAMPLE_REST_MS))
  }

  /** A call begins: its function `fn` is about to run. */
  begin(call: RunningCall, fn: LoadedFunction): void {
    const words = this.#words
    const { daemonId, functionNumber } = call
    if (words[Word.late] !== 0) this.#lookBack(undefined)
    words[Word.calls] = ++this.#calls
    words[Word.ids] = this.#ids ^= daemonId
    words[Word.functions] = this.#functions ^= functionNumber
    words[Word.function] = functionNumber
    words[Word.running] = daemonId
    words[Word.steps] = ++this.#steps
    if (this.#hasBlocked || isEarly(fn)) this.#sample(call)
    if (this.#timer === undefined) this.#start()
  }

  /** The function of `call` has given way, or is done. */
  gaveWay(call: RunningCall): void {
    const words = this.#words
    if (words[Word.late] !== 0) this.#lookBack(call)
    words[Word.running] = NO_CALL
  }

  /** The call is done; its reply comes after this. */
  ended(call: RunningCall): void {
    const words = this.#words
    if (words[Word.late] !== 0) this.#lookBack(call)
    words[Word.calls] = --this.#calls
    words[Word.ids] = this.#ids ^= call.daemonId
    words[Word.functions] = this.#functions ^= call.functionNumber
    words[Word.steps] = ++this.#steps
    if (call.isSampled) this.#sampled--
  }

  #sample(call: RunningCall): void {
    call.isSampled = true
    if (this.#sampled++ === 0) this.#sampler.start()
  }

  #start(): void {
    const words = this.#words
    this.#idleBeats = 0
    Atomics.store(words, Word.beat, ticks())
    Atomics.notify(words, Word.beat)
    this.#timer = setInterval(this.#beat, Math.max(1, Math.floor(this.#loopBlockMs / 4)))
    this.#timer.unref()
    if (!this.#hasThread) this.#startThread()
  }

  #startThread(): void {
    this.#hasThread = true
    const worker = new Worker(ENTRY, { ref: false, smol: true })
    // Nothing is watched then, which no call may suffer from.
    worker.addEventListener("error", (event) => event.preventDefault())
    const { buffer: memory } = this.#words
    const start: WatchdogStart = { memory, loopBlockMs: this.#loopBlockMs, fd: this.#fd }
    worker.postMessage(start)
  }

  readonly #beat = (): void => {
    const words = this.#words
    if (words[Word.late] !== 0) this.#lookBack(undefined)
    Atomics.store(words, Word.beat, ticks())
    if (this.#sampled !== 0) this.#sampler.clear()
    else this.#sampler.stop()
    if (this.#calls !== 0) this.#idleBeats = 0
    else if (++this.#idleBeats > IDLE_BEATS_MAX) {
      clearInterval(this.#timer)
      this.#timer = undefined
      Atomics.store(words, Word.beat, 0) // Z1
      if (!this.#hasBlocked) this.#sampler.rest(LOOP_SAMPLE_REST_MS)
    }
  }

  /** The loop may have been blocked until now; `next` is the first call that has been heard of since. */
  #lookBack(next: RunningCall | undefined): void {
    const words = this.#words
    const beat = Atomics.load(words, Word.beat)
    Atomics.store(words, Word.late, 1 - Atomics.load(words, Word.watched))
    if (beat === 0) return
    const time = ticks()
    const ms = (time - beat) | 0
    const certain = blockingCall(words)
    const number = certain === NO_CALL ? (next?.functionNumber ?? 0) : blockingFunction(words)
    Atomics.store(words, Word.beat, time)
    // The watchdog may have seen it just before the loop said that it turns.
    if (ms < this.#loopBlockMs) return
    const id = certain === NO_CALL ? (next?.daemonId ?? CONNECTION_ID) : certain >>> 0
    const kind = certain === NO_CALL ? ReportKind.loopProbablyBlocked : ReportKind.loopBlocked
    const stack = encodeLoopStack(this.#sampler.take())
    this.#hasBlocked = true
    this.#sink.open(stack.length).write(FrameType.report, 0, id, kind, ms, number, stack)
  }
}

/** Whether this is one of the first calls of `fn`. */
function isEarly(fn: LoadedFunction): boolean {
  const { sampled = 0 } = fn
  if (sampled === LOOP_SAMPLED_CALLS) return false
  fn.sampled = sampled + 1
  return true
}

const ENTRY = programPath("envs/watchdog/thread.ts")
/** So long the timer goes on without calls: starting and ending it for each costs more. */
const IDLE_BEATS_MAX = 40
