import { now } from "../../protocol/deadlines.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { PoolThread, type PoolThreadParts, type ThreadTask } from "./pool-thread.ts"
import { behindMark, isHeldUp, isStalled, type Mark, markOf, quietMark } from "./stall.ts"
import { Width } from "./width.ts"

/**
 * Which task goes to which thread, and how many threads there are.
 *
 * Tasks go to a few _active_ threads, several to each: while calls are short, one thread is the cheapest way. How many
 * are active at most is the _width_ (width.ts). Every tick looks at what they have done since the last one:
 *
 * - A thread that has ended no call for some ticks, and does not just wait for a processor, is _stalled_. It is active no
 *   more, and what is queued behind its call is taken back for the others.
 * - One that has ended some, but not all that it had at the last tick, is _behind_; what is queued is shared anew where
 *   more may be active.
 *
 * Threads are started when tasks wait at a tick, or are queued behind others, and fewer are active than may be.
 *
 * Invariants:
 * L1. No call waits for the end of another call that is longer than some ticks, as long as there may be more threads.
 * L2. Every task is answered once: by its thread, or from here when the thread ends under it.
 * L3. At most STARTING_MAX threads start at the same time: starting many at once is slow, and has crashed Bun
 *     (oven-sh/bun#41022).
 * L4. Threads are reused; one is ended by force only to stop the call that it runs, or top-level code without end.
 */
export class Crew {
  readonly #options: CrewOptions
  readonly #threads = new Set<PoolThread>()
  /** Busy threads that take more, each with what it had done and had to do at the last tick. */
  readonly #active = new Map<PoolThread, Mark>()
  /** Threads with nothing to do, the oldest first: they have compiled most, so they are used first and ended last. */
  readonly #idle: Idle[] = []
  /** Stalled threads without a task, which have not noticed that all was taken back: they do something else. */
  readonly #absent = new Set<PoolThread>()
  /** Tasks for an active thread, in order; only while none has room. */
  #waiting: ThreadTask[] = []
  readonly #width: Width
  #starting = 0
  #failedStarts = 0
  #tickTimer: Timer | undefined
  #idleTimer: Timer | undefined

  constructor(options: CrewOptions) {
    this.#options = options
    this.#width = new Width(options.threadsMax)
  }

  get size(): number {
    return this.#threads.size
  }

  submit(task: ThreadTask): void {
    this.#waiting.push(task)
    this.#place()
  }

  /** Ends tasks: what has not begun is taken out, otherwise the thread that does it is ended. */
  stop(isMeant: (task: ThreadTask) => boolean, error: BunhouseError): void {
    const stopped = this.#waiting.filter(isMeant)
    this.#waiting = this.#waiting.filter((task) => !isMeant(task))
    for (const thread of this.#threads) {
      if (!thread.has(isMeant)) continue
      const back = thread.takeBack()
      stopped.push(...back.filter(isMeant))
      this.#waiting.unshift(...back.filter((task) => !isMeant(task)))
      if (thread.has(isMeant)) {
        this.#retire(thread)
        thread.terminate(error)
      } else this.#rest(thread)
    }
    for (const task of stopped) task.failed(notBegun(error))
    this.#place()
  }

  #place(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#leastBusy()
      const task = thread && this.#waiting.shift()
      if (task === undefined) break
      thread?.post(task)
    }
    if (this.#threads.size === 0 && this.#waiting.length > 0) this.#start()
    if (this.#active.size + this.#absent.size + this.#waiting.length > 0) {
      if (this.#tickTimer === undefined) this.#tickTimer = setTimeout(this.#tick, TICK_MS)
    }
  }

  /** An active thread with room. */
  #leastBusy(): PoolThread | undefined {
    if (this.#active.size < this.#width.value) {
      const recruit = this.#idle.shift()?.thread
      if (recruit !== undefined) this.#mark(recruit)
    }
    let best: PoolThread | undefined
    let left = this.#width.value
    for (const thread of this.#active.keys()) {
      if (left-- === 0) break // Those beyond the width end what they have.
      if (thread.hasRoom && (best === undefined || thread.tasks < best.tasks)) best = thread
    }
    return best
  }

  readonly #tick = (): void => {
    this.#tickTimer = undefined
    for (const thread of this.#absent) {
      if (!thread.isAtRest) continue
      this.#absent.delete(thread)
      this.#rest(thread)
    }
    let stalled = 0
    let behind = 0
    let heldUp = 0
    let ended = 0
    for (const thread of this.#active.keys()) {
      // This loop may have been blocked itself: what has happened meanwhile comes first.
      thread.collect()
      const mark = this.#active.get(thread)
      if (mark === undefined) continue
      const steps = thread.steps - mark.steps
      ended += steps
      if (steps >= mark.tasks) this.#mark(thread)
      else if (steps > 0) {
        behind++
        // Asking the system takes time, which is not spent where the answer changes nothing.
        const next = this.#width.mayGrow ? behindMark(thread) : markOf(thread)
        if (this.#width.mayGrow && isHeldUp(mark, next)) heldUp++
        this.#active.set(thread, next)
      } else if (this.#isStalled(thread, mark)) {
        if (this.#setAside(thread)) stalled++
      }
      this.#rest(thread)
    }
    this.#width.adapt({ stalled, heldUp, ended })
    if (ended > 0) this.#width.spare(() => this.#threadsForMore())
    if (behind > 0 && this.#active.size < this.#width.value) this.#share()
    this.#place()
    this.#grow()
  }

  /** Others get what is queued at the thread. False when it has got on just now. */
  #setAside(thread: PoolThread): boolean {
    this.#waiting.unshift(...thread.takeBack())
    // What ended just now was told to nobody, and nobody looks at a thread that is not active (P2).
    if (thread.collect()) {
      if (this.#active.has(thread)) this.#mark(thread)
      return false
    }
    this.#active.delete(thread)
    if (thread.tasks === 0) this.#absent.add(thread)
    return true
  }

  /** The call that it waits for must not be queued behind the one that waits. */
  #blocked(thread: PoolThread): void {
    if (this.#active.has(thread)) this.#setAside(thread)
    this.#place()
  }

  #mark(thread: PoolThread): void {
    this.#active.set(thread, markOf(thread))
  }

  /** The thread has not got on since `mark`: whether that is for the call that it runs. */
  #isStalled(thread: PoolThread, mark: Mark): boolean {
    const next = quietMark(thread, mark)
    this.#active.set(thread, next)
    return isStalled(thread, mark, next)
  }

  /** The system's numbers of the threads that take calls, or would. */
  *#threadsForMore(): Iterable<number> {
    for (const { threadNumber } of this.#active.keys()) yield threadNumber
    for (const { thread } of this.#idle) yield thread.threadNumber
  }

  #grow(): void {
    let queued = this.#waiting.length
    for (const thread of this.#active.keys()) queued += thread.tasks - 1
    const wanted = Math.min(
      this.#width.value - this.#active.size - this.#idle.length,
      queued,
      STARTING_MAX,
    )
    while (this.#starting < wanted && this.#threads.size < this.#options.threadsMax) this.#start()
  }

  #start(): void {
    this.#starting++
    let isStarting = true
    const thread: PoolThread = new PoolThread({
      ...this.#options,
      onProgress: () => {
        this.#rest(thread)
        if (isStarting) {
          isStarting = false
          this.#started()
        }
        this.#place()
      },
      onBlocked: () => this.#blocked(thread),
      onEnd: (back) => {
        this.#threads.delete(thread)
        this.#retire(thread)
        this.#waiting.unshift(...back)
        if (isStarting) this.#startFailed()
        this.#place()
      },
    })
    this.#threads.add(thread)
  }

  #started(): void {
    this.#starting--
    this.#failedStarts = 0
    this.#share()
  }

  /** What is queued at active threads is placed anew, because there are more threads for it. */
  #share(): void {
    for (const thread of this.#active.keys()) {
      if (thread.tasks > 1) this.#waiting.unshift(...thread.takeBack())
      this.#rest(thread)
    }
  }

  /** The thread goes to the idle ones if it has nothing to do. */
  #rest(thread: PoolThread): void {
    if (thread.tasks > 0 || !thread.isReady || this.#absent.has(thread)) return
    if (this.#idle.some((idle) => idle.thread === thread)) return
    this.#active.delete(thread)
    const older = this.#idle.findLastIndex((idle) => idle.thread.startedAt <= thread.startedAt)
    this.#idle.splice(older + 1, 0, { thread, since: now() })
    if (this.#idleTimer === undefined) this.#waitIdle(this.#options.idleMs)
  }

  /** The thread is given nothing any more. */
  #retire(thread: PoolThread): void {
    this.#active.delete(thread)
    this.#absent.delete(thread)
    const at = this.#idle.findIndex((idle) => idle.thread === thread)
    if (at !== -1) this.#idle.splice(at, 1)
  }

  #waitIdle(ms: number): void {
    this.#idleTimer = setTimeout(this.#endIdle, ms)
    this.#idleTimer.unref()
  }

  readonly #endIdle = (): void => {
    this.#idleTimer = undefined
    const { idleMs, kept } = this.#options
    const time = now()
    let nextMs = Number.POSITIVE_INFINITY
    for (const { thread, since } of this.#idle.splice(kept)) {
      const leftMs = since + idleMs - time
      if (leftMs > 0) {
        this.#idle.push({ thread, since })
        nextMs = Math.min(nextMs, leftMs)
      } else thread.end()
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#waitIdle(Math.max(1, nextMs))
  }

  /** Where no thread starts any more (memory, the system's limits), waiting for one would have no end. */
  #startFailed(): void {
    this.#starting--
    this.#failedStarts++
    if (this.#failedStarts < FAILED_STARTS_MAX) return
    this.#failedStarts = 0
    const error = new BunhouseError("WORKER_LOST", "no thread could be started", { ran: "no" })
    for (const task of this.#waiting.splice(0)) task.failed(error)
  }
}

export interface CrewOptions extends Omit<PoolThreadParts, "onProgress" | "onBlocked" | "onEnd"> {
  readonly threadsMax: number
  /** How long a thread without a task is kept. */
  readonly idleMs: number
  /** So many are kept for good: a new thread has to compile everything anew. */
  readonly kept: number
}

interface Idle {
  readonly thread: PoolThread
  readonly since: number
}

const STARTING_MAX = 4
const TICK_MS = 2
const FAILED_STARTS_MAX = 3

function notBegun({ code, message }: BunhouseError): BunhouseError {
  return new BunhouseError(code, message, { ran: "no" })
}
