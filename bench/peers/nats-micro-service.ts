import { connect, JSONCodec } from "nats-classic"
import { ENDPOINT } from "./nats-micro.ts"

/** A NATS service with one echo endpoint. Argument: URL of the NATS server. */
const connection = await connect({ servers: process.argv[2] ?? "" })
const codec = JSONCodec<number>()
const service = await connection.services.add({ name: "bench", version: "1.0.0" })
service.addEndpoint(ENDPOINT, {
  handler: (_error, message) => void message.respond(codec.encode(codec.decode(message.data))),
})
await connection.flush()
console.log("ready")
