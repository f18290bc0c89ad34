import { connect } from "nats"

/** A bare NATS service: answers with what it got. Argument: address of the server. */
const connection = await connect({ servers: process.argv[2] ?? "" })
connection.subscribe("echo", { callback: (_error, message) => void message.respond(message.data) })
await connection.flush()
console.log("ready")
