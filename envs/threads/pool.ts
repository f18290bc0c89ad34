import { now } from "../../protocol/deadlines.ts"
import { BunhouseError, decodeErrorRecord } from "../../protocol/errors.ts"
import { type FrameReader, FrameType } from "../../protocol/frame.ts"
import type { CallFacts } from "../call-context.ts"
import { loadTooSlow } from "../load-function.ts"
import { replyFailure, type ReplySink } from "../run-call.ts"
import { type FunctionSource, PoolThread, type ThreadTask } from "./pool-thread.ts"

/**
 * The threads of an env process. A call waits here only while every thread is busy; the daemon never hands out more
 * calls than `threadsMax` allows.
 *
 * Growth: a first thread per core starts as soon as all are busy. Beyond that a thread starts when no call has ended for
 * STALL_MS, because then the threads are waiting for something else than the processor. Idle threads end after `idleMs`.
 *
 * Invariants:
 * L1. Neither the loop nor another call waits for a call that runs on a thread.
 * L2. Every task is answered once: by its thread, or by the pool when the thread ends under it.
 * L3. At most STARTING_MAX threads start at the same time: starting many at once is slow, and has crashed Bun
 *     (oven-sh/bun#41022).
 * L4. Threads are reused; one is ended by force only to stop the call that it runs, or top-level code without end.
 */
export class ThreadPool {
  readonly #threads = new Set<PoolThread>()
  readonly #idle: PoolThread[] = []
  #waiting: ThreadTask[] = []
  readonly #functions = new Map<number, FunctionSource>()
  readonly #options: ThreadPoolOptions
  #starting = 0
  #failedStarts = 0
  #lastEnd = 0
  #stallTimer: Timer | undefined

  constructor(options: ThreadPoolOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#threads.size
  }

  /** Loads a function into one thread, to learn whether that works; others load it when they first run it. */
  async load(index: number, source: FunctionSource, timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#functions.set(index, source)
    const task: ThreadTask = {
      id: 0,
      target: index,
      frame: undefined,
      answered: (frame) => {
        if (frame.type === FrameType.reply) resolve()
        else reject(decodeErrorRecord(frame.payload))
      },
      failed: reject,
    }
    const timer = setTimeout(() => this.#stop(task, loadTooSlow(source.name, timeoutMs)), timeoutMs)
    this.#submit(task)
    try {
      await promise
    } catch (error) {
      this.#functions.delete(index)
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  run(frame: FrameReader): void {
    const { id } = frame
    const { sink } = this.#options
    this.#submit({
      id,
      target: frame.target,
      frame: frame.copy(),
      answered: (reply) => sink.open(reply.end - reply.start).copyFrom(reply, id, 0, 0, 0),
      failed: (error) => replyFailure(sink, id, error),
    })
  }

  /** Ends the call: takes it out of the queue, or ends the thread that runs it. */
  cancel(id: number): void {
    const task = this.#callTasks().find((candidate) => candidate.id === id)
    if (task !== undefined) this.#stop(task, cancelled())
  }

  cancelAll(): void {
    for (const task of this.#callTasks()) this.#stop(task, cancelled())
  }

  #callTasks(): ThreadTask[] {
    const running = [...this.#threads].flatMap(({ task }) => task ?? [])
    return [...this.#waiting, ...running].filter((task) => task.frame !== undefined)
  }

  #stop(task: ThreadTask, error: BunhouseError): void {
    if (this.#waiting.includes(task)) {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== task)
      task.failed(new BunhouseError(error.code, error.message, { ran: "no" }))
      return
    }
    for (const thread of this.#threads) {
      if (thread.task === task) thread.terminate(error)
    }
  }

  #submit(task: ThreadTask): void {
    const thread = this.#idle.pop()
    if (thread !== undefined) {
      thread.run(task)
      return
    }
    this.#waiting.push(task)
    this.#grow()
  }

  #grow(): void {
    const wanted = this.#waiting.length - this.#starting
    if (wanted <= 0 || this.#threads.size >= this.#options.threadsMax) return
    const stalled = now() - this.#lastEnd >= STALL_MS
    if (this.#starting < STARTING_MAX && (this.#threads.size < CORES || stalled)) {
      this.#start()
      this.#grow()
      return
    }
    if (this.#stallTimer !== undefined) return
    this.#stallTimer = setTimeout(() => {
      this.#stallTimer = undefined
      this.#grow()
    }, STALL_MS)
  }

  #start(): void {
    this.#starting++
    const thread: PoolThread = new PoolThread({
      facts: this.#options.facts,
      sourceOf: (target) => this.#functions.get(target),
      onReady: () => {
        this.#starting--
        this.#failedStarts = 0
        this.#next(thread)
        this.#grow()
      },
      onFree: () => {
        this.#lastEnd = now()
        this.#next(thread)
      },
      onEnding: () => this.#notIdle(thread),
      onEnd: (wasReady) => {
        if (!wasReady) this.#startFailed()
        this.#threads.delete(thread)
        this.#notIdle(thread)
        this.#grow()
      },
    })
    this.#threads.add(thread)
  }

  #next(thread: PoolThread): void {
    const task = this.#waiting.shift()
    if (task === undefined) {
      this.#idle.push(thread)
      thread.endAfter(this.#options.idleMs)
    } else {
      thread.run(task)
    }
  }

  #notIdle(thread: PoolThread): void {
    const at = this.#idle.indexOf(thread)
    if (at !== -1) this.#idle.splice(at, 1)
  }

  /** Where no thread starts any more (memory, the system's limits), waiting for one would have no end. */
  #startFailed(): void {
    this.#starting--
    this.#failedStarts++
    if (this.#failedStarts < FAILED_STARTS_MAX) return
    this.#failedStarts = 0
    const tasks = this.#waiting
    this.#waiting = []
    for (const task of tasks) {
      task.failed(new BunhouseError("WORKER_LOST", "no thread could be started", { ran: "no" }))
    }
  }
}

export interface ThreadPoolOptions {
  readonly facts: CallFacts
  readonly sink: ReplySink
  readonly threadsMax: number
  /** How long a thread without a task is kept. */
  readonly idleMs: number
}

const CORES = navigator.hardwareConcurrency
const STARTING_MAX = 4
const STALL_MS = 2
const FAILED_STARTS_MAX = 3

function cancelled(): BunhouseError {
  return new BunhouseError("CANCELLED", "the call was cancelled")
}
