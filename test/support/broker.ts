import type { BrokerRole } from "../../broker/config.ts"
import { type BrokerConnection, connectBroker } from "../../broker/connection.ts"
import {
  type EmbeddedBroker,
  type EmbeddedBrokerOptions,
  startEmbeddedBroker,
} from "../../broker/embedded.ts"
import { inboxPrefix } from "../../protocol/subjects.ts"
import { temporaryFolder } from "./folder.ts"
import { natsServer } from "./nats-server.ts"
import { sendSignal } from "./processes.ts"

/** A broker of one test and the connections to it; all gone with the scope: `await using stack = await startBroker()`. */
export interface BrokerStack extends AsyncDisposable {
  readonly broker: EmbeddedBroker
  readonly folder: string
  readonly space: string
  /** What the broker logged. */
  readonly events: string[]
  connect(role?: BrokerRole): Promise<BrokerConnection>
  /** SIGKILL for the server, as a crash would end it. */
  kill(): void
}

export async function startBroker(
  options: Partial<EmbeddedBrokerOptions> = {},
): Promise<BrokerStack> {
  const own = temporaryFolder()
  const folder = options.folder ?? own.path
  const space = options.space ?? "space1"
  const events: string[] = []
  const connections: BrokerConnection[] = []
  const broker = await startEmbeddedBroker({
    binary: await natsServer(),
    log: (event, facts) => void events.push(`${event} ${JSON.stringify(facts)}`),
    ...options,
    folder,
    space,
  }).catch((error: unknown) => {
    own[Symbol.dispose]()
    throw error
  })
  return {
    broker,
    folder,
    space,
    events,
    async connect(role = "daemon") {
      const connection = await connectBroker({
        url: broker.url,
        ...broker.credentials(role),
        name: `test ${role}`,
        inboxPrefix: inboxPrefix(space),
      })
      connections.push(connection)
      return connection
    },
    kill() {
      const { pid } = broker
      if (pid === undefined) throw new Error("expected the broker to be up")
      sendSignal(pid, "SIGKILL")
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(connections.map((connection) => connection.close()))
      await broker.stop()
      own[Symbol.dispose]()
    },
  }
}
