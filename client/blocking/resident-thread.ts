import { parentPort } from "node:worker_threads"
import { BunhouseError, toErrorRecord } from "../../protocol/errors.ts"
import { FrameWriter } from "../../protocol/frame.ts"
import { LogCollector } from "../../protocol/log-lines.ts"
import { Connection } from "../connection/connection.ts"
import { byWebSocket } from "../connection/dialer.ts"
import type { Address } from "../settings.ts"
import { outgoing } from "./blocking-caller.ts"
import { KeptStream } from "./kept-stream.ts"
import {
  ANSWERED,
  HEARTBEAT,
  HEARTBEAT_MS,
  type ResidentAnswer,
  type ResidentRequest,
  type ResidentStart,
} from "./resident.ts"

/** The thread behind resident.ts: makes awaitable calls, and keeps streams, on behalf of a thread that waits. */
let address: Address = { url: "", token: "" }
const connection = new Connection(byWebSocket(() => address))
const streams = new Map<number, KeptStream>()

type Answerer = (answer: ResidentAnswer) => void
type RequestOf<Kind> = Extract<ResidentRequest, { readonly kind: Kind }>

parentPort?.once("message", ({ port, state }: ResidentStart) => {
  setInterval(() => Atomics.add(state, HEARTBEAT, 1), HEARTBEAT_MS)
  port.on("message", (request: ResidentRequest) => {
    take(request, (answer) => {
      port.postMessage(answer)
      Atomics.store(state, ANSWERED, 1)
      Atomics.notify(state, ANSWERED)
    })
  })
})

function take(request: ResidentRequest, answer: Answerer): void {
  switch (request.kind) {
    case "call":
      return make(request, answer)
    case "stream":
      return open(request, answer)
    case "next":
      return void next(request.stream, request.number, answer)
    case "release":
      return release(request.stream)
    default:
      return request satisfies never
  }
}

function make(request: RequestOf<"call">, answer: Answerer): void {
  const { number, call } = request
  address = request.address
  const logs = new LogCollector()
  connection.call({
    ...outgoing(call),
    logged: call.wantsLogs ? (frame) => logs.add(frame) : undefined,
    replied: (frame) => {
      const writer = new FrameWriter()
      logs.writeTo(writer)
      writer.append(frame.bytes.subarray(frame.start, frame.end))
      answer({ kind: "replied", number, batch: writer.take(), bootId: connection.bootId })
    },
    failed: (error) => answer({ kind: "failed", number, error: toErrorRecord(error) }),
  })
}

function open(request: RequestOf<"stream">, answer: Answerer): void {
  const { number, call, window } = request
  address = request.address
  streams.set(number, new KeptStream(connection, call, window))
  void next(number, number, answer)
}

async function next(stream: number, number: number, answer: Answerer): Promise<void> {
  const kept = streams.get(stream)
  if (kept === undefined) {
    const error = new BunhouseError("INTERNAL", "the thread keeps no such stream")
    return answer({ kind: "failed", number, error: toErrorRecord(error) })
  }
  await kept.filled()
  const { batch, bootId, isLast } = kept.take()
  if (isLast) streams.delete(stream)
  answer({ kind: "replied", number, batch, bootId })
}

function release(stream: number): void {
  streams.get(stream)?.release()
  streams.delete(stream)
}
