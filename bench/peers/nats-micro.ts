import { join } from "node:path"
import { connect, JSONCodec, type NatsConnection } from "nats-classic"
import { startProgram } from "../program.ts"
import type { Peer } from "./peer.ts"

export const ENDPOINT = "bench-echo"

/** NATS services: the framework that comes with the client library, by the release of it that has most users. */
export async function startNatsMicro(natsUrl: string): Promise<Peer> {
  const service = await startProgram(
    [process.execPath, join(import.meta.dir, "nats-micro-service.ts"), natsUrl],
    "ready",
  )
  const connection: NatsConnection = await connect({ servers: natsUrl })
  const codec = JSONCodec<number>()
  return {
    async call(i) {
      const reply = await connection.request(ENDPOINT, codec.encode(i), { timeout: 10_000 })
      if (codec.decode(reply.data) !== i) throw new Error("a wrong reply")
    },
    async [Symbol.asyncDispose]() {
      await connection.close()
      await service.stop()
    },
  }
}
