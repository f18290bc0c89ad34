import { decodePayload } from "../protocol/codec/index.ts"
import { FrameFlag, type FrameReader, FrameType } from "../protocol/frame.ts"
import { ENV_PAYLOAD_BYTES_MAX } from "../protocol/limits.ts"
import { type Credit, RESULT_STREAM, writeCredit } from "../protocol/streams/credit.ts"
import { ItemStream } from "../protocol/streams/item-stream.ts"
import { StreamReceiver } from "../protocol/streams/receiver.ts"
import type { Connection } from "./connection/connection.ts"
import type { PendingCall } from "./connection/pending.ts"
import { type OnLog, tellLines } from "./logs.ts"
import { nested } from "./nesting.ts"
import { type Names, readOutcome } from "./outcome.ts"
import type { StreamedArguments } from "./streamed-arguments.ts"

/** A call of which some arguments are streams. */
export interface CallWithStreams {
  readonly connection: Connection
  readonly names: Names
  readonly args: StreamedArguments
  /** Of the whole call, from the first `next` on where its result is a stream. 0: none. */
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  /** Is told what the function prints. */
  readonly onLog: OnLog | undefined
}

/** A call of a generator function. */
export interface StreamCall extends CallWithStreams {
  readonly window: Credit
}

/** Resolves with what the function returns. */
export function callWithStreams(call: CallWithStreams): Promise<unknown> {
  const { connection, names, args, onLog } = call
  return new Promise((resolve, reject) => {
    const pending = connection.call({
      env: names.env,
      function: names.function,
      payload: args.payload,
      ...nested(call),
      logged: onLog && ((frame, bootId) => tellLines(onLog, names, frame, bootId)),
      flow: { flags: args.flags, window: undefined, received: (frame) => args.credit(frame) },
      replied: (frame, callId) => {
        args.close()
        const outcome = readOutcome(frame, names, callId)
        if (outcome.kind === "returned") resolve(outcome.value)
        else reject(outcome.thrown)
      },
      failed: (error) => {
        args.close()
        reject(error)
      },
    })
    if (pending !== undefined) args.begin(connection, pending)
  })
}

/**
 * Calls a generator function: the call is made when the first item is asked for, as a local generator would begin to
 * run.
 *
 * A stream that was begun and is read no further holds at most a window of items, and ends at its deadline. One that
 * nobody can reach any more is given up when the engine notices.
 */
export function streamCall(call: StreamCall): ItemStream {
  const { connection, names, args, window, onLog } = call
  let pending: PendingCall | undefined
  const stop = () => {
    if (pending !== undefined) connection.abandon(pending)
    args.close()
  }
  const receiver = new StreamReceiver({
    window,
    itemBytesMax: ENV_PAYLOAD_BYTES_MAX,
    decode: decodePayload,
    grant: (credit) => {
      const writer = pending === undefined ? undefined : connection.about(pending, 0)
      if (writer !== undefined && pending !== undefined) {
        writeCredit(writer, pending.id, RESULT_STREAM, credit)
      }
    },
    stop,
  })
  const received = (frame: FrameReader): void => {
    if (frame.type === FrameType.credit) args.credit(frame)
    else receiver.push(frame.payload, (frame.flags & FrameFlag.goesOn) !== 0)
  }
  const begin = () => {
    const inherited = nested(call)
    pending = connection.call({
      env: names.env,
      function: names.function,
      payload: args.payload,
      ...inherited,
      logged: onLog && ((frame, bootId) => tellLines(onLog, names, frame, bootId)),
      flow: { flags: FrameFlag.stream | args.flags, window, received },
      replied: (frame, callId) => {
        args.close()
        receiver.end(readOutcome(frame, names, callId))
      },
      failed: (error) => {
        args.close()
        // Who cancels does not want what has arrived.
        if (inherited.signal?.aborted) receiver.drop()
        receiver.end({ kind: "threw", thrown: error })
      },
    })
    if (pending !== undefined) args.begin(connection, pending)
  }
  const stream = new ItemStream({ receiver, begin, stop })
  forgotten.register(stream, stop)
  return stream
}

/** Nothing that is registered leads back to the stream. */
const forgotten = new FinalizationRegistry<() => void>((stop) => stop())
