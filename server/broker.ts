import type { BrokerConnection } from "../broker/connection.ts"
import { startEmbeddedBroker } from "../broker/embedded.ts"
import { externalBroker } from "../broker/external.ts"
import type { NatsServerBinary } from "../broker/binary.ts"
import { findNatsServer } from "../broker/find.ts"
import type { EnvBootstrap } from "../protocol/env-control.ts"
import { asBunhouseError } from "../protocol/errors.ts"
import type { HomePaths } from "../protocol/home.ts"
import type { BrokerStatus } from "../protocol/status.ts"
import { inboxPrefix } from "../protocol/subjects.ts"
import type { Log } from "./log.ts"
import type { ServerSettings } from "./settings.ts"

/** The broker as the daemon uses it: its own embedded one, or a cluster of somebody else's. */
export interface Broker {
  readonly connection: BrokerConnection
  /** How env processes reach it. */
  readonly envAccess: EnvBootstrap["broker"]
  status(): BrokerStatus
  stop(): Promise<void>
}

interface BrokerOptions {
  readonly settings: ServerSettings
  readonly home: HomePaths
  readonly space: string
  readonly log: Log
  /** Lines for a person who waits. */
  readonly progress: (line: string) => void
}

/** Starts and connects. Throws what finding, starting or connecting throws, with nothing left behind. */
export async function openBroker(options: BrokerOptions): Promise<Broker> {
  const outside = externalBroker(options.settings.environment)
  return outside === undefined ? openEmbedded(options) : openExternal(outside, options)
}

async function openEmbedded(options: BrokerOptions): Promise<Broker> {
  const { settings, home, space, log, progress } = options
  const { environment } = settings
  const start = (binary: NatsServerBinary) => {
    return startEmbeddedBroker({ binary, folder: home.broker, space, log })
  }
  const where = { environment, cache: home.cache, progress }
  const found = await findNatsServer(where)
  const broker = await start(found).catch(async (error: unknown) => {
    if (found.isRemembered !== true) throw error
    log("broker found anew", { reason: asBunhouseError(error, "starting the broker").message })
    return await start(await findNatsServer({ ...where, trustsProof: false }))
  })
  const daemon = broker.credentials("daemon")
  const env = broker.credentials("env")
  try {
    const { connectBroker } = await import("../broker/connection.ts")
    const connection = await connectBroker({
      url: broker.url,
      ...daemon,
      name: "bunhouse daemon",
      inboxPrefix: inboxPrefix(space),
    })
    connection.onError((error) => log("broker connection", { error: error.message }))
    return {
      connection,
      envAccess: { url: broker.url, ...env },
      status: () => ({
        ...statusOf("embedded", connection, broker.url),
        ...(broker.pid !== undefined && { pid: broker.pid }),
      }),
      async stop() {
        await connection.close()
        await broker.stop()
      },
    }
  } catch (error) {
    await broker.stop()
    throw error
  }
}

async function openExternal(
  address: EnvBootstrap["broker"],
  { space, log }: Pick<BrokerOptions, "space" | "log">,
): Promise<Broker> {
  const { connectBroker } = await import("../broker/connection.ts")
  const connection = await connectBroker({
    ...address,
    name: "bunhouse daemon",
    inboxPrefix: inboxPrefix(space),
  })
  connection.onError((error) => log("broker connection", { error: error.message }))
  return {
    connection,
    envAccess: address,
    status: () => statusOf("external", connection, address.url),
    stop: () => connection.close(),
  }
}

function statusOf(
  kind: BrokerStatus["kind"],
  connection: BrokerConnection,
  server: string,
): BrokerStatus {
  return { kind, connected: connection.isConnected, server, version: connection.serverVersion }
}
