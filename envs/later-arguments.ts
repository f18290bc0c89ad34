import { ownLink } from "../client/context.ts"
import type { OutgoingCall } from "../client/connection/pending.ts"
import { decodePayload, encodeArgs } from "../protocol/codec/index.ts"
import { now, remainingMs } from "../protocol/deadlines.ts"
import {
  asBunhouseError,
  BunhouseError,
  decodeErrorRecord,
  encodeErrorRecord,
  toErrorRecord,
} from "../protocol/errors.ts"
import { encodeExtra } from "../protocol/extra.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../protocol/frame.ts"
import { callIdOf } from "../protocol/hello.ts"
import { type LaterCall, readLaterCalls } from "../protocol/later.ts"
import { encodeOrigin, type Thrower } from "../protocol/origin.ts"
import type { CallFacts } from "./call-context.ts"
import { argumentsOf, extraOf, replyFailure, type ReplySink } from "./run-call.ts"
import type { UnreadyCalls } from "./unready-calls.ts"

/**
 * Arguments that are results of other calls (`g(f.later(x))`): the calls are made from here, like those that a function
 * makes, and the call that waits for them goes on as if it had come with their results. It has no place meanwhile: whoever
 * admits calls is told when it is ready, and says when it shall run.
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
  /** Complete, and not told to run yet. */
  readonly #ready = new Map<number, FrameReader>()

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

  /** The call that `go` names has a place. Legal for one that has ended, or was never here. */
  run(go: FrameReader): void {
    const { id, timeoutMs } = go
    const call = this.#ready.get(id)
    if (call === undefined) return
    this.#ready.delete(id)
    this.#waiting.delete(id)
    call.rename(id, call.target, timeoutMs, call.serial)
    this.#unready.ready(call)
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
    this.#ready.delete(id)
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
      this.#ready.set(id, ready)
      this.#sink.open(0).write(FrameType.ready, 0, id, 0, 0, 0)
    } catch (failure) {
      if (stop === undefined || this.#waiting.get(id) !== stop) return
      this.#forget(id, stop)
      if (failure instanceof Failure) failure.answer(this.#sink, id, calls.length > 1)
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
    const blocks = { known: { id: this.id, callId: this.#callId } }
    const left = remainingMs(this.#dueAt)
    return new Promise((resolve, reject) => {
      const call: OutgoingCall = {
        env,
        function: fn,
        payload,
        flags,
        extra: encodeExtra({ ...(key !== undefined && { key }), depth: depth + 1, root, blocks }),
        timeoutMs: timeoutMs === 0 || left === 0 ? timeoutMs + left : Math.min(timeoutMs, left),
        around: this.id,
        signal: this.#signal,
        logged: undefined,
        replied: (frame, callId) => {
          const { type, bytes, payloadStart, end } = frame
          if (type === FrameType.reply) resolve(decodePayload(bytes, payloadStart, end))
          else reject(Failure.of(frame, { env, function: fn, callId: callId() }))
        },
        failed: (error) => {
          const { callId = "" } = error
          reject(new Failure(error, encodeOrigin(NONE, { env, function: fn, callId })))
        },
      }
      ownLink().connection.call(call)
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
  /** Of the platform, or as the function threw it, encoded. */
  readonly #failure: BunhouseError | Uint8Array
  readonly #origin: Uint8Array

  constructor(failure: BunhouseError | Uint8Array, origin: Uint8Array) {
    this.#failure = failure
    this.#origin = origin
  }

  static of({ flags, payload, extra }: FrameReader, who: Thrower): Failure {
    const isThrown = (flags & FrameFlag.thrown) !== 0
    const failure = isThrown ? new Uint8Array(payload) : decodeErrorRecord(payload)
    return new Failure(failure, encodeOrigin(extra, who))
  }

  /** `isOneOfMany`: others may have run, whatever is known of this one. */
  answer(sink: ReplySink, id: number, isOneOfMany: boolean): void {
    const failure = this.#failure
    const isThrown = failure instanceof Uint8Array
    const payload = isThrown ? failure : recordOf(failure, isOneOfMany)
    const flags = isThrown ? FrameFlag.thrown : 0
    sink
      .open(payload.length + this.#origin.length)
      .write(FrameType.error, flags, id, 0, 0, 0, payload, this.#origin)
  }
}

function recordOf(error: BunhouseError, mayHaveRun: boolean): Uint8Array {
  if (!mayHaveRun || error.ran !== "no") return encodeErrorRecord(error)
  const { code, message } = error
  return encodeErrorRecord(
    new BunhouseError(code, message, { ...toErrorRecord(error), ran: "maybe" }),
  )
}

const NONE = new Uint8Array(0)
