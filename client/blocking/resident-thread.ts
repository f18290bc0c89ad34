import { parentPort } from "node:worker_threads"
import { BunhouseError, toErrorRecord } from "../../protocol/errors.ts"
import { FrameFlag, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { LogCollector } from "../../protocol/log-lines.ts"
import { ChunkBuffer } from "../../protocol/streams/chunk.ts"
import { RESULT_STREAM, writeCredit } from "../../protocol/streams/credit.ts"
import { Connection } from "../connection/connection.ts"
import { byWebSocket } from "../connection/dialer.ts"
import type { PendingCall } from "../connection/pending.ts"
import type { Address } from "../settings.ts"
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

interface KeptStream {
  readonly buffer: ChunkBuffer
  readonly pending: PendingCall | undefined
}

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

/** The thread that waits cannot fire a signal. */
function outgoing({
  names,
  payload,
  flags,
  extra,
  timeoutMs,
}: RequestOf<"call" | "stream">["call"]) {
  const { env, function: fn } = names
  return { env, function: fn, payload, flags, extra, timeoutMs, signal: undefined }
}

function open(request: RequestOf<"stream">, answer: Answerer): void {
  const { number, call, window } = request
  address = request.address
  const buffer = new ChunkBuffer()
  const pending = connection.call({
    ...outgoing(call),
    flow: {
      flags: FrameFlag.stream,
      window,
      received: (frame) => {
        if (frame.type === FrameType.items) buffer.add(frame)
      },
    },
    logged: undefined,
    replied: (frame) => buffer.end(frame, frame.serial),
    failed: (error) => buffer.fail(error, 0),
  })
  streams.set(number, { buffer, pending })
  void next(number, number, answer)
}

async function next(stream: number, number: number, answer: Answerer): Promise<void> {
  const kept = streams.get(stream)
  if (kept === undefined) {
    const error = new BunhouseError("INTERNAL", "the thread keeps no such stream")
    return answer({ kind: "failed", number, error: toErrorRecord(error) })
  }
  await kept.buffer.filled()
  const writer = new FrameWriter()
  const { credit, isLast } = kept.buffer.take(writer, 0)
  if (isLast) streams.delete(stream)
  else if (kept.pending !== undefined) {
    const line = connection.about(kept.pending, 0)
    if (line !== undefined) writeCredit(line, kept.pending.id, RESULT_STREAM, credit)
  }
  answer({ kind: "replied", number, batch: writer.take(), bootId: connection.bootId })
}

function release(stream: number): void {
  const kept = streams.get(stream)
  streams.delete(stream)
  if (kept?.pending !== undefined) connection.abandon(kept.pending)
}
