import { asBunhouseError } from "../../protocol/errors.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { readHello } from "../../protocol/hello.ts"
import { paths } from "../../protocol/http.ts"
import { type Credit, RESULT_STREAM, writeCredit } from "../../protocol/streams/credit.ts"
import type { Names, Outcome } from "../outcome.ts"
import type { BlockingCall, BlockingCaller, BlockingStream, Logged } from "./blocking-caller.ts"
import { type Caller, exchange, failure } from "./exchange.ts"
import { readReply } from "./reply.ts"
import { SpawnStream } from "./spawn-stream.ts"

/** Blocking calls by `Bun.spawnSync`: a program makes the one HTTP call, this process waits for it to end. */
export class SpawnCaller implements BlockingCaller {
  readonly #caller: () => Caller

  constructor(caller: () => Caller) {
    this.#caller = caller
  }

  call(call: BlockingCall, logged: Logged): Outcome {
    const { names, timeoutMs } = call
    try {
      const batch = requestBatch(call)
      const answer = exchange(this.#caller(), paths.frames, names, batch, timeoutMs)
      return readAnswer(names, answer, logged)
    } catch (error) {
      const thrown = asBunhouseError(error, `the blocking call of ${names.env}/${names.function}`)
      return { kind: "threw", thrown, wasPromise: false }
    }
  }

  stream(call: BlockingCall, window: Credit): BlockingStream {
    return new SpawnStream(this.#caller, call, requestBatch(call, window))
  }

  close(): void {
    // Nothing is kept between calls.
  }
}

function readAnswer(names: Names, answer: Buffer, logged: Logged): Outcome {
  const frame = new FrameReader()
  try {
    if (frame.open(answer, answer.length) < 2) throw new Error("it is not a hello and a reply")
    frame.next()
    const { bootId } = readHello(frame.payload)
    return readReply(frame, bootId, names, logged)
  } catch (error) {
    const { message } = asBunhouseError(error, "reading it")
    const reason = `the daemon's answer cannot be read: ${message}`
    throw failure(names, "PROTOCOL_ERROR", "maybe", reason)
  }
}

function requestBatch(call: BlockingCall, window?: Credit): Uint8Array {
  const { names, payload, timeoutMs, extra } = call
  const logs = call.wantsLogs ? FrameFlag.logs : 0
  const writer = new FrameWriter()
  const flags = call.flags | logs | (window === undefined ? 0 : FrameFlag.stream)
  writer.write(FrameType.bind, 0, 0, 1, 0, 0, Buffer.from(JSON.stringify(names)))
  if (window !== undefined) writeCredit(writer, 1, RESULT_STREAM, window)
  writer.write(FrameType.call, flags, 1, 1, timeoutMs, 0, payload, extra)
  return writer.take()
}
