import { ownDaemon } from "../client/context.ts"
import type { OutgoingCall } from "../client/connection/pending.ts"
import { linkOf } from "../client/link.ts"
import { decodePayload, encodeArgs } from "../protocol/codec/index.ts"
import { now, remainingMs } from "../protocol/deadlines.ts"
import { asBunhouseError, BunhouseError } from "../protocol/errors.ts"
import { encodeExtra } from "../protocol/extra.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../protocol/frame.ts"
import { callIdOf } from "../protocol/hello.ts"
import { type LaterCall, readLaterCalls } from "../protocol/later.ts"
import { encodeOrigin } from "../protocol/origin.ts"
import type { CallFacts } from "./call-context.ts"
import { argumentsOf, extraOf, replyFailure, type ReplySink } from "./run-call.ts"
import type { UnreadyCalls } from "./unready-calls.ts"

/**
 * Arguments that are results of other calls (`g(f.later(x))`): the calls are made from here, like those that a function
 * makes, and the call that waits for them goes on as if it had come with their results.
 *
 * Invariants:
 * LA1. The function runs once all results are there, and not at all when one of the calls fails: then that one's error
 *      is the answer, as it was.
 * LA2. The calls end with the call that they are for: by its deadline, and with its cancel.
 */
export class LaterArguments {
  readonly #facts: CallFacts
  readonly #sink: ReplySink
  readonly #unready: UnreadyCalls
  readonly #waiting = new Map<number, AbortController>()

  constructor(facts: CallFacts, sink: ReplySink, unready: UnreadyCalls) {
    this.#facts = facts
    this.#sink = sink
    this.#unready = unready
  }

  /** A call some of whose arguments are results of others. */
  begin(frame: FrameReader): void {
    const { id } = frame
    const args = argumentsOf(frame, this.#sink)
    if (args === undefined) return
    const places = frame.flags & FrameFlag.streamedArguments ? args.pop() : undefined
    let calls: LaterCall[]
    try {
      const list = args.pop()
      calls = readLaterCalls(list, args.length)
    } catch (error) {
      return replyFailure(this.#sink, id, asBunhouseError(error, "reading the arguments"))
    }
    const stop = new AbortController()
    const waiting = new WaitingCall(frame, this.#facts.bootId, stop.signal)
    this.#waiting.set(id, stop)
    this.#unready.add(id)
    void this.#complete(waiting, calls, args, places)
  }

  /** Legal for a call that has ended, or was never here. */
  cancel(id: number): void {
    const stop = this.#waiting.get(id)
    if (stop === undefined) return
    this.#forget(id, stop)
    const error = new BunhouseError("CANCELLED", "the call was cancelled", { ran: "no" })
    replyFailure(this.#sink, id, error)
  }

  /** Nobody waits for any of them. */
  dropAll(): void {
    for (const [id, stop] of this.#waiting) this.#forget(id, stop)
  }

  #forget(id: number, stop: AbortController): void {
    this.#waiting.delete(id)
    this.#unready.delete(id)
    stop.abort() // LA2
  }

  /** Never rejects. */
  async #complete(
    call: WaitingCall,
    calls: readonly LaterCall[],
    args: unknown[],
    places: unknown,
  ): Promise<void> {
    const { id } = call
    const stop = this.#waiting.get(id)
    try {
      // The library of this process, which may not have been needed before.
      await import("../client/index.ts")
      const results = await Promise.all(calls.map((later) => call.resultOf(later)))
      for (const [index, later] of calls.entries()) {
        for (const place of later.places) args[place] = results[index]
      }
      if (places !== undefined) args.push(places)
      const ready = call.withArguments(args, this.#facts.payloadBytesMax)
      if (this.#waiting.get(id) !== stop) return
      this.#waiting.delete(id)
      this.#unready.ready(ready)
    } catch (failure) {
      if (stop === undefined || this.#waiting.get(id) !== stop) return
      this.#forget(id, stop)
      if (failure instanceof Failure) failure.answer(this.#sink, id)
      else replyFailure(this.#sink, id, asBunhouseError(failure, "completing the arguments"))
    }
  }
}

/** The call that waits, in the words of its frame. */
class WaitingCall {
  readonly id: number
  readonly #head: Pick<FrameReader, "flags" | "target" | "serial">
  readonly #extra: Uint8Array
  readonly #said: ReturnType<typeof extraOf>
  readonly #dueAt: number
  readonly #callId: string
  readonly #signal: AbortSignal

  constructor(frame: FrameReader, bootId: string, signal: AbortSignal) {
    const { id, flags, target, serial, timeoutMs } = frame
    this.id = id
    this.#head = { flags: flags & ~FrameFlag.later, target, serial }
    this.#extra = new Uint8Array(frame.extra)
    this.#said = extraOf(frame)
    this.#dueAt = timeoutMs === 0 ? Number.POSITIVE_INFINITY : now() + timeoutMs
    this.#callId = callIdOf(bootId, serial)
    this.#signal = signal
  }

  /** Makes a call for it. Rejects with a Failure, or with what kept the call from being made. */
  resultOf({ env, function: fn, payload, flags, timeoutMs, key }: LaterCall): Promise<unknown> {
    const { depth = 0, root = this.#callId } = this.#said ?? {}
    const blocks = { id: this.id, callId: this.#callId }
    const left = remainingMs(this.#dueAt)
    return new Promise((resolve, reject) => {
      const call: OutgoingCall = {
        env,
        function: fn,
        payload,
        flags,
        extra: encodeExtra({ ...(key !== undefined && { key }), depth: depth + 1, root, blocks }),
        timeoutMs: timeoutMs === 0 || left === 0 ? timeoutMs + left : Math.min(timeoutMs, left),
        signal: this.#signal,
        logged: undefined,
        replied: (frame, callId) => {
          const { type, bytes, payloadStart, end } = frame
          if (type === FrameType.reply) resolve(decodePayload(bytes, payloadStart, end))
          else reject(new Failure(frame, { env, function: fn, callId: callId() }))
        },
        failed: reject,
      }
      linkOf(ownDaemon()).connection.call(call)
    })
  }

  /** The frame that it would have come by with these arguments. Throws PAYLOAD_TOO_LARGE. */
  withArguments(args: readonly unknown[], bytesMax: number): FrameReader {
    const { flags, target, serial } = this.#head
    const writer = new FrameWriter()
    const payload = encodeArgs(args, bytesMax)
    const left = remainingMs(this.#dueAt)
    writer.write(FrameType.call, flags, this.id, target, left, serial, payload, this.#extra)
    const batch = writer.take()
    const frame = new FrameReader()
    frame.open(batch, batch.length)
    frame.next()
    return frame
  }
}

/** How one of the calls failed: what answers it answers the call that waits (LA1). */
class Failure {
  readonly #flags: number
  readonly #payload: Uint8Array
  readonly #extra: Uint8Array

  constructor(frame: FrameReader, who: { env: string; function: string; callId: string }) {
    const isThrown = (frame.flags & FrameFlag.thrown) !== 0
    this.#flags = isThrown ? FrameFlag.thrown : 0
    this.#payload = new Uint8Array(frame.payload)
    this.#extra = isThrown ? encodeOrigin(frame.extra, who) : new Uint8Array(0)
  }

  answer(sink: ReplySink, id: number): void {
    sink
      .open(this.#payload.length + this.#extra.length)
      .write(FrameType.error, this.#flags, id, 0, 0, 0, this.#payload, this.#extra)
  }
}
