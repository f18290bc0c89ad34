import { connect } from "nats"
import { answerBatches } from "./multiplexed.ts"

/** A bare NATS responder: answers with what it got. Argument: address of the server. */
const connection = await connect({ servers: process.argv[2] ?? "" })
connection.subscribe("echo", { callback: (_error, message) => void message.respond(message.data) })
answerBatches(connection, async (x) => x)
await connection.flush()
console.log("ready")
