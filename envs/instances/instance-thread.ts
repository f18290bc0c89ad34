import { BunhouseError, decodeErrorRecord, type Ran, stateLost } from "../../protocol/errors.ts"
import { FrameFlag, type FrameReader, FrameType } from "../../protocol/frame.ts"
import type { CallFacts } from "../call-context.ts"
import { loadTooSlow } from "../load-function.ts"
import { forwardReply, replyFailure } from "../run-call.ts"
import { alone } from "../threads/channel.ts"
import type { ForcedEnds } from "../threads/forced-ends.ts"
import type { Dial } from "../threads/nested-port.ts"
import type { ThreadSink } from "../threads/pool.ts"
import { type FunctionSource, PoolThread, type ThreadTask } from "../threads/pool-thread.ts"

/**
 * The thread of one instance. Its calls follow each other in the order in which they came.
 *
 * Invariants:
 * U1. Every call is answered once: by the thread, or here when the thread ends under it.
 * U2. When the thread ends, for whatever reason, so does the instance: the answer that says so carries the flag `gone`,
 *     and so does the answer to every later call.
 */
export class InstanceThread {
  readonly #parts: InstanceThreadParts
  readonly #thread: PoolThread
  readonly #waiting: ThreadTask[] = []
  #running: ThreadTask | undefined
  /** Why there is no thread any more. */
  #gone: string | undefined

  constructor(parts: InstanceThreadParts) {
    this.#parts = parts
    this.#thread = new PoolThread({
      facts: parts.facts,
      forced: parts.forced,
      dial: parts.dial,
      sourceOf: () => parts.source,
      onProgress: () => this.#next(),
      onStream: () => {}, // nothing of an instance is called as a stream
      // What the thread hands back it has not begun with.
      onEnd: (back) => this.#ended("its thread ended", back.length > 0 ? "no" : "maybe"),
    })
  }

  /** Resolves once the class is loaded; ends the thread where that fails. */
  async load(timeoutMs: number): Promise<void> {
    const { name } = this.#parts.source
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    const timer = setTimeout(() => reject(loadTooSlow(name, timeoutMs)), timeoutMs)
    this.#submit({
      id: LOADING,
      target: this.#parts.index,
      batch: undefined,
      answered: (frame) => {
        if (frame.type === FrameType.reply) resolve(undefined)
        else reject(decodeErrorRecord(frame.payload))
      },
      failed: reject,
    })
    try {
      await promise
    } catch (error) {
      this.end("it could not be loaded")
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  run(frame: FrameReader): void {
    const { id } = frame
    const { sink, index } = this.#parts
    this.#submit({
      id,
      target: index,
      batch: alone(frame),
      answered: (reply) => forwardReply(sink, id, reply),
      logged: sink.pass,
      progressed: sink.pass,
      failed: (error) => replyFailure(sink, id, error, FrameFlag.gone), // U2
    })
  }

  /** Takes the call out of the queue, or ends the thread that runs it, and with it the instance. */
  cancel(id: number): void {
    const at = this.#waiting.findIndex((task) => task.id === id)
    if (at !== -1) {
      this.#waiting.splice(at, 1)
      const error = new BunhouseError("CANCELLED", "the call was cancelled", { ran: "no" })
      replyFailure(this.#parts.sink, id, error)
    } else if (this.#running?.id === id) {
      this.end("a call of it was cancelled or took too long, which ended its thread")
    }
  }

  /** Ends the thread by force. What runs and waits is told at once: a thread that sleeps may take long to end. */
  end(reason: string): void {
    if (this.#gone !== undefined) return
    this.#thread.terminate(new BunhouseError("CANCELLED", "the call was cancelled"))
    this.#ended(reason, "maybe")
  }

  #submit(task: ThreadTask): void {
    if (this.#gone !== undefined) return task.failed(this.#lost(this.#gone))
    this.#waiting.push(task)
    this.#next()
  }

  #next(): void {
    if (this.#running !== undefined || !this.#thread.isReady) return
    const task = this.#waiting.shift()
    if (task === undefined) return
    this.#running = task
    this.#thread.post({
      ...task,
      answered: (frame) => this.#take(task)?.answered(frame),
      failed: (error) => this.#take(task)?.failed(error),
    })
  }

  /** U1. */
  #take(task: ThreadTask): ThreadTask | undefined {
    if (this.#running !== task) return undefined
    this.#running = undefined
    return task
  }

  /** `ran` is about the call that the thread was given last. */
  #ended(reason: string, ran: Ran): void {
    if (this.#gone !== undefined) return
    this.#gone = reason
    const running = this.#running
    this.#running = undefined
    running?.failed(ran === "no" ? this.#lost(reason) : new BunhouseError("WORKER_LOST", reason))
    for (const task of this.#waiting.splice(0)) task.failed(this.#lost(reason))
  }

  #lost(reason: string): BunhouseError {
    return stateLost(this.#parts.facts.env, this.#parts.source.name, reason)
  }
}

export interface InstanceThreadParts {
  readonly facts: CallFacts
  readonly forced: ForcedEnds
  /** For calls that its methods make. */
  readonly dial: Dial
  readonly sink: ThreadSink
  readonly index: number
  readonly source: FunctionSource
}

/** No call has this id: it is that of a connection. */
const LOADING = 0xffff_ffff
