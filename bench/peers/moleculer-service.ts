import { moleculerBroker } from "./moleculer.ts"

/** A Moleculer node with one echo action. Argument: URL of the NATS server. */
const broker = moleculerBroker("service", process.argv[2] ?? "")
broker.createService({ name: "bench", actions: { echo: ({ params }) => params } })
await broker.start()
console.log("ready")
