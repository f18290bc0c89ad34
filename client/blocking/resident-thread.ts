import { parentPort } from "node:worker_threads"
import { toErrorRecord } from "../../protocol/errors.ts"
import { FrameWriter } from "../../protocol/frame.ts"
import { LogCollector } from "../../protocol/log-lines.ts"
import { Connection } from "../connection/connection.ts"
import type { Address } from "../settings.ts"
import {
  ANSWERED,
  HEARTBEAT,
  HEARTBEAT_MS,
  type ResidentAnswer,
  type ResidentRequest,
  type ResidentStart,
} from "./resident.ts"

/** The thread behind resident.ts: makes awaitable calls on behalf of a thread that waits. */
let address: Address = { url: "", token: "" }
const connection = new Connection(() => address)

parentPort?.once("message", ({ port, state }: ResidentStart) => {
  setInterval(() => Atomics.add(state, HEARTBEAT, 1), HEARTBEAT_MS)
  port.on("message", (request: ResidentRequest) => {
    address = request.address
    make(request, (answer) => {
      port.postMessage(answer)
      Atomics.store(state, ANSWERED, 1)
      Atomics.notify(state, ANSWERED)
    })
  })
})

function make(request: ResidentRequest, answer: (answer: ResidentAnswer) => void): void {
  const { number, call } = request
  const { names, payload, extra, timeoutMs } = call
  const logs = new LogCollector()
  connection.call({
    env: names.env,
    function: names.function,
    payload,
    extra,
    timeoutMs,
    signal: undefined,
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
