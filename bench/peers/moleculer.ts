import { join } from "node:path"
import { ServiceBroker } from "moleculer"
import { startProgram } from "../program.ts"
import type { Peer } from "./peer.ts"

/** Moleculer over NATS, with everything off that its documentation says costs speed. */
export function moleculerBroker(nodeID: string, natsUrl: string): ServiceBroker {
  return new ServiceBroker({
    nodeID,
    transporter: { type: "NATS", options: { url: natsUrl } },
    serializer: "JSON",
    logger: false,
    metrics: false,
    tracing: false,
    requestTimeout: 0,
    internalServices: false,
    contextParamsCloning: false,
  })
}

/** The caller is in this process, the service in another one, as with bunhouse. */
export async function startMoleculer(natsUrl: string): Promise<Peer> {
  const service = await startProgram(
    [process.execPath, join(import.meta.dir, "moleculer-service.ts"), natsUrl],
    "ready",
  )
  const broker = moleculerBroker("caller", natsUrl)
  await broker.start()
  await broker.waitForServices("bench", 10_000)
  return {
    async call(i) {
      const { x }: { readonly x: number } = await broker.call("bench.echo", { x: i })
      if (x !== i) throw new Error("a wrong reply")
    },
    async [Symbol.asyncDispose]() {
      await broker.stop()
      await service.stop()
    },
  }
}
