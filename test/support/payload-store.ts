import { readdirSync } from "node:fs"
import { join } from "node:path"
import { jetstreamManager } from "@nats-io/jetstream"
import { connectBroker } from "../../broker/connection.ts"
import { innerConnection } from "../../broker/nats-connection.ts"
import { Fields } from "../../protocol/fields.ts"
import { inboxPrefix } from "../../protocol/subjects.ts"
import type { Stack } from "./stack.ts"

/** Bytes of large payloads of `what` ("jobs") that the store of a running daemon has. */
export async function storedPayloadBytes({ home }: Stack, what: string): Promise<number> {
  const folder = join(home, "broker")
  const config = new Fields("the config", await Bun.file(join(folder, "nats-server.json")).json())
  const users = config.required("authorization", (fields) => fields.list("users"))
  const daemon = new Fields("the daemon's login", users[0])
  const ports = join(folder, "ports")
  const [file = ""] = readdirSync(ports)
  const [url] = new Fields("the ports", await Bun.file(join(ports, file)).json()).list("nats")
  const permissions = daemon.required("permissions", (fields) => fields.list("subscribe"))
  const space = String(permissions[0]).split(".")[1] ?? ""
  const connection = await connectBroker({
    url: String(url),
    user: daemon.text("user"),
    password: daemon.text("password"),
    name: "test",
    inboxPrefix: inboxPrefix(space),
  })
  try {
    const { streams } = await jetstreamManager(innerConnection(connection).nats)
    return (await streams.info(`OBJ_bunhouse-${space}-${what}-payloads`)).state.bytes
  } finally {
    await connection.close()
  }
}
