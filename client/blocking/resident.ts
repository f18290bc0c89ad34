import { type MessagePort, MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads"
import { asBunhouseError, BunhouseError, fromErrorRecord } from "../../protocol/errors.ts"
import { FrameReader } from "../../protocol/frame.ts"
import { DEADLINE_GRACE_MS } from "../../protocol/limits.ts"
import { sourcePath } from "../../protocol/root.ts"
import type { Credit } from "../../protocol/streams/credit.ts"
import type { Names, Outcome } from "../outcome.ts"
import type { Address } from "../settings.ts"
import type { BlockingCall, BlockingCaller, BlockingStream, Logged } from "./blocking-caller.ts"
import { readReply } from "./reply.ts"
import { ResidentStream } from "./resident-stream.ts"

/**
 * Blocking calls by a resident thread: it keeps a connection of its own, this thread waits on shared memory until the
 * answer lies in a message port.
 *
 * Invariants:
 * Y1. An answer is taken only for the call that waits for it: late answers to calls that were given up are passed over.
 * Y2. It does not wait for a thread that is dead: the thread's heart beats in the shared memory.
 * Y3. It waits in short slices: a collection of garbage that this thread's heap is in the middle of cannot go on while it
 *     waits, and holds up the other thread, which then does not answer (seen once in some ten thousand calls).
 */
export class ResidentCaller implements BlockingCaller {
  readonly #address: () => Address
  #thread: Thread | undefined
  #lastCall = 0

  constructor(address: () => Address) {
    this.#address = address
  }

  call(call: BlockingCall, logged: Logged): Outcome {
    const { names, timeoutMs } = call
    try {
      const address = this.#address()
      const { batch, bootId } = this.#ask(names, timeoutMs, { kind: "call", call, address })
      const frame = new FrameReader()
      frame.open(batch, batch.length)
      return readReply(frame, bootId, names, logged)
    } catch (error) {
      const thrown = asBunhouseError(error, `the blocking call of ${names.env}/${names.function}`)
      return { kind: "threw", thrown, wasPromise: false }
    }
  }

  stream(call: BlockingCall, window: Credit): BlockingStream {
    const { names, timeoutMs } = call
    return new ResidentStream(names, timeoutMs, {
      open: () => {
        return this.#ask(names, timeoutMs, {
          kind: "stream",
          call,
          window,
          address: this.#address(),
        })
      },
      next: (stream, leftMs) => this.#ask(names, leftMs, { kind: "next", stream }),
      release: (stream) => this.#thread?.port.postMessage({ kind: "release", stream, number: 0 }),
    })
  }

  close(): void {
    void this.#thread?.worker.terminate()
    this.#thread = undefined
  }

  /** Throws what has failed. */
  #ask(names: Names, timeoutMs: number, question: Question): Batch {
    const thread = (this.#thread ??= startThread())
    const number = ++this.#lastCall
    Atomics.store(thread.state, ANSWERED, 0)
    thread.port.postMessage({ ...question, number })
    const answer = this.#await(thread, number, timeoutMs)
    if (answer === undefined) throw tooLate(names)
    if (answer.kind === "failed") throw fromErrorRecord(answer.error)
    return answer
  }

  #await(thread: Thread, number: number, timeoutMs: number): ResidentAnswer | undefined {
    const giveUpAt =
      timeoutMs === 0
        ? Number.POSITIVE_INFINITY
        : performance.now() + timeoutMs + 2 * DEADLINE_GRACE_MS
    let beats = Atomics.load(thread.state, HEARTBEAT)
    let beatAt = performance.now()
    while (true) {
      const time = performance.now()
      Atomics.wait(thread.state, ANSWERED, 0, Math.min(WAIT_SLICE_MS, giveUpAt - time)) // Y3
      Atomics.store(thread.state, ANSWERED, 0)
      for (let next = receive(thread.port); next !== undefined; next = receive(thread.port)) {
        if (next.number === number) return next // Y1
      }
      if (performance.now() >= giveUpAt) return undefined
      const beatsNow = Atomics.load(thread.state, HEARTBEAT)
      if (beatsNow !== beats) beatAt = time
      else if (time - beatAt > HEART_STOPPED_MS) this.#loseThread() // Y2
      beats = beatsNow
    }
  }

  #loseThread(): never {
    this.close()
    throw new BunhouseError("DAEMON_LOST", "the thread that makes blocking calls has ended")
  }
}

/** What the thread is asked. */
export type ResidentRequest = Question & { readonly number: number }

type Question =
  | { readonly kind: "call"; readonly call: BlockingCall; readonly address: Address }
  | {
      readonly kind: "stream"
      readonly call: BlockingCall
      readonly window: Credit
      readonly address: Address
    }
  /** The next chunk of the stream that the question of this number began. */
  | { readonly kind: "next"; readonly stream: number }
  /** Is not answered. */
  | { readonly kind: "release"; readonly stream: number }

/** What the thread answers: log frames and the reply, or a chunk of a stream, or the record of a platform error. */
export type ResidentAnswer =
  Batch | { readonly kind: "failed"; readonly number: number; readonly error: unknown }

export interface Batch {
  readonly kind: "replied"
  readonly number: number
  readonly batch: Uint8Array
  readonly bootId: string
}

/** First message to the thread. */
export interface ResidentStart {
  readonly port: MessagePort
  readonly state: Int32Array
}

/** Places in the shared memory. */
export const ANSWERED = 0
export const HEARTBEAT = 1
/** How often the heart beats. */
export const HEARTBEAT_MS = 500
const HEART_STOPPED_MS = 5_000
/** What one wait may last at most. */
const WAIT_SLICE_MS = 10

interface Thread {
  readonly worker: Worker
  readonly port: MessagePort
  readonly state: Int32Array
}

function startThread(): Thread {
  const state = new Int32Array(new SharedArrayBuffer(8))
  const { port1: port, port2 } = new MessageChannel()
  const worker = new Worker(sourcePath("client/blocking/resident-thread.ts"))
  worker.unref()
  const start: ResidentStart = { port: port2, state }
  worker.postMessage(start, [port2])
  port.unref()
  return { worker, port, state }
}

function receive(port: MessagePort): ResidentAnswer | undefined {
  // The port carries what resident-thread.ts posts, and nothing else.
  const received: { message: ResidentAnswer } | undefined = receiveMessageOnPort(port)
  return received?.message
}

function tooLate({ env, function: fn }: Names): BunhouseError {
  const message = `${env}/${fn}: the deadline passed, and the daemon did not answer`
  return new BunhouseError("DEADLINE_EXCEEDED", message, { env, function: fn })
}
