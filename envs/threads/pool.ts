import { BunhouseError, decodeErrorRecord } from "../../protocol/errors.ts"
import { FrameFlag, type FrameReader, FrameType } from "../../protocol/frame.ts"
import type { CallFacts } from "../call-context.ts"
import { loadTooSlow } from "../load-function.ts"
import { forwardReply, replyFailure, type ResultSink } from "../run-call.ts"
import { alone } from "./channel.ts"
import { Crew } from "./crew.ts"
import type { ForcedEnds } from "./forced-ends.ts"
import type { Dial } from "./nested-port.ts"
import type { FunctionSource, ThreadTask } from "./pool-thread.ts"
import { StreamTask } from "./stream-task.ts"

/**
 * The sync functions of an env process: loads them, runs their calls on threads, and answers. crew.ts says on which. The
 * daemon never hands out more calls than `threadsMax` allows, and the process itself takes what the daemon leaves.
 */
export class ThreadPool {
  readonly #sink: ThreadSink
  readonly #functions = new Map<number, FunctionSource>()
  readonly #crew: Crew
  /** Calls of generators, by id. */
  readonly #streams = new Map<number, StreamTask>()
  /** Calls of the daemon's that have not been answered. */
  calls = 0

  constructor({ sink, ...options }: ThreadPoolOptions) {
    this.#sink = sink
    this.#crew = new Crew({
      ...options,
      sourceOf: (target) => this.#functions.get(target),
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

  /** `sink`: where answers go to, but for the daemon's calls. */
  run(frame: FrameReader, sink = this.#sink): void {
    const { id } = frame
    if (frame.flags & FrameFlag.streamedArguments) return refuseStreams(sink, id)
    const isDaemons = sink === this.#sink
    if (isDaemons) this.calls++
    const ended = () => {
      if (isDaemons) this.calls--
    }
    if (frame.flags & FrameFlag.stream) return this.#stream(frame, sink, ended)
    this.#crew.submit({
      id,
      target: frame.target,
      batch: alone(frame),
      answered: (reply) => {
        ended()
        forwardReply(sink, id, reply)
      },
      logged: sink.pass,
      // The daemon alone keeps what calls report.
      progressed: isDaemons ? sink.pass : undefined,
      failed: (error) => {
        ended()
        replyFailure(sink, id, error)
      },
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

  #stream(frame: FrameReader, sink: ThreadSink, ended: () => void): void {
    const { id } = frame
    const task = new StreamTask(frame, alone(frame), {
      sink,
      stop: () => this.#stop(id),
      onEnd: () => {
        ended()
        if (this.#streams.get(id) === task) this.#streams.delete(id)
      },
    })
    this.#streams.set(id, task)
    this.#crew.submit(task)
  }
}

/** Where what a thread says of a call goes. */
export interface ThreadSink extends ResultSink {
  /** Hands on the frame that `frame` stands on, as it is. */
  readonly pass: (frame: FrameReader) => void
}

function refuseStreams(sink: ResultSink, id: number): void {
  const message = "a function that runs on a thread cannot take a stream as an argument"
  replyFailure(sink, id, new BunhouseError("INVALID_ARGUMENT", message, { ran: "no" }))
}

export interface ThreadPoolOptions {
  readonly facts: CallFacts
  readonly forced: ForcedEnds
  /** For calls that functions make. */
  readonly dial: Dial
  /** Of the daemon's calls. */
  readonly sink: ThreadSink
  readonly threadsMax: number
  /** How long a thread without a task is kept. */
  readonly idleMs: number
  /** So many are kept for good. */
  readonly kept: number
}

function cancelled(): BunhouseError {
  return new BunhouseError("CANCELLED", "the call was cancelled")
}
