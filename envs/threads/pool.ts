import { BunhouseError, decodeErrorRecord } from "../../protocol/errors.ts"
import { FrameFlag, type FrameReader, FrameType } from "../../protocol/frame.ts"
import type { CallFacts } from "../call-context.ts"
import { loadTooSlow } from "../load-function.ts"
import { forwardReply, replyFailure, type ResultSink } from "../run-call.ts"
import { alone } from "./channel.ts"
import { Crew } from "./crew.ts"
import type { ForcedEnds } from "./forced-ends.ts"
import type { FunctionSource, ThreadTask } from "./pool-thread.ts"
import { StreamTask } from "./stream-task.ts"

/**
 * The sync functions of an env process: loads them, runs their calls on threads, and answers. crew.ts says on which. The
 * daemon never hands out more calls than `threadsMax` allows.
 */
export class ThreadPool {
  readonly #sink: ResultSink
  readonly #functions = new Map<number, FunctionSource>()
  readonly #crew: Crew
  /** Calls of generators, by id. */
  readonly #streams = new Map<number, StreamTask>()

  constructor({ sink, ...options }: ThreadPoolOptions) {
    this.#sink = sink
    this.#crew = new Crew({
      ...options,
      sourceOf: (target) => this.#functions.get(target),
      onLog: ({ bytes, start, end }) => sink.open(end - start).append(bytes.subarray(start, end)),
      onStream: (frame, port) => this.#streams.get(frame.id)?.said(frame, port),
    })
  }

  get size(): number {
    return this.#crew.size
  }

  /** Loads a function into one thread, to learn whether that works; others load it when they first run it. */
  async load(index: number, source: FunctionSource, timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#functions.set(index, source)
    const task: ThreadTask = {
      id: 0,
      target: index,
      batch: undefined,
      answered: (frame) => {
        if (frame.type === FrameType.reply) resolve()
        else reject(decodeErrorRecord(frame.payload))
      },
      failed: reject,
    }
    const timer = setTimeout(
      () => this.#crew.stop((other) => other === task, loadTooSlow(source.name, timeoutMs)),
      timeoutMs,
    )
    this.#crew.submit(task)
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
    if (frame.flags & FrameFlag.streamedArguments) return this.#refuseStreams(id)
    if (frame.flags & FrameFlag.stream) return this.#stream(frame)
    const forward = (reply: FrameReader) => forwardReply(this.#sink, id, reply)
    this.#crew.submit({
      id,
      target: frame.target,
      batch: alone(frame),
      answered: forward,
      progressed: forward,
      failed: (error) => replyFailure(this.#sink, id, error),
    })
  }

  /** Credit for a stream. Legal for a call that has ended, or was never here. */
  flow(frame: FrameReader): void {
    if (frame.type === FrameType.credit) this.#streams.get(frame.id)?.grant(frame)
  }

  /** Ends the call: takes it out of the queue, asks its generator to end, or ends the thread that runs it. */
  cancel(id: number): void {
    if (!this.#streams.get(id)?.askToEnd()) this.#stop(id)
  }

  #stop(id: number): void {
    this.#crew.stop((task) => task.batch !== undefined && task.id === id, cancelled())
  }

  cancelAll(): void {
    this.#crew.stop((task) => task.batch !== undefined, cancelled())
  }

  #stream(frame: FrameReader): void {
    const { id } = frame
    const task = new StreamTask(frame, alone(frame), {
      sink: this.#sink,
      stop: () => this.#stop(id),
      onEnd: () => {
        if (this.#streams.get(id) === task) this.#streams.delete(id)
      },
    })
    this.#streams.set(id, task)
    this.#crew.submit(task)
  }

  #refuseStreams(id: number): void {
    const message = "a function that runs on a thread cannot take a stream as an argument"
    const error = new BunhouseError("INVALID_ARGUMENT", message, { ran: "no" })
    replyFailure(this.#sink, id, error)
  }
}

export interface ThreadPoolOptions {
  readonly facts: CallFacts
  readonly forced: ForcedEnds
  readonly sink: ResultSink
  readonly threadsMax: number
  /** How long a thread without a task is kept. */
  readonly idleMs: number
  /** So many are kept for good. */
  readonly kept: number
}

function cancelled(): BunhouseError {
  return new BunhouseError("CANCELLED", "the call was cancelled")
}
