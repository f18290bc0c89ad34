import { join } from "node:path"
import { BunhouseError } from "../protocol/errors.ts"
import {
  BROKER_CONNECTIONS_MAX,
  BROKER_LOG_BYTES_MAX,
  BROKER_MESSAGE_BYTES_MAX,
  BROKER_SUBSCRIPTIONS_MAX,
  BROKER_UNREAD_BYTES_MAX,
} from "../protocol/limits.ts"
import { envPermissions } from "../protocol/subjects.ts"

/** Who connects to the embedded broker: the daemon, or its env processes. */
export type BrokerRole = "daemon" | "env"

export interface BrokerPaths {
  /** 0600: it holds the passwords. */
  readonly config: string
  /** JetStream's data; outlives the broker. */
  readonly store: string
  /** Folder in which each life of the server says, in a file named by its pid, where it listens. */
  readonly ports: string
  readonly log: string
  /** What the server says before it has a log, and the trace of a crash. */
  readonly output: string
}

export function brokerPaths(folder: string): BrokerPaths {
  return {
    config: join(folder, "nats-server.json"),
    store: join(folder, "jetstream"),
    ports: join(folder, "ports"),
    log: join(folder, "nats-server.log"),
    output: join(folder, "nats-server.out"),
  }
}

export interface BrokerConfig {
  readonly paths: BrokerPaths
  /** Of the server that will read it. */
  readonly version: string
  /** -1 lets the server choose. */
  readonly port: number
  readonly space: string
  readonly passwords: Readonly<Record<BrokerRole, string>>
}

/**
 * The server's configuration. It listens on loopback for clients only: there is no monitoring port and no listener for
 * cluster, leaf nodes, WebSocket or MQTT. Nobody may do anything without a password, and env processes only what
 * `envPermissions` lists. (The server reads JSON: its own format contains it.)
 */
export function configText({ paths, version, port, space, passwords }: BrokerConfig): string {
  checkSpace(space)
  const config = {
    host: "127.0.0.1",
    port,
    ports_file_dir: paths.ports,
    log_file: paths.log,
    logfile_size_limit: BROKER_LOG_BYTES_MAX,
    // Older servers refuse a setting that they do not know; their old logs are removed at the next start.
    ...(Bun.semver.order(version, "2.10.0") >= 0 && { logfile_max_num: OLD_LOGS_MAX }),
    authorization: {
      users: [
        { user: "daemon", password: passwords.daemon, permissions: daemonPermissions(space) },
        { user: "env", password: passwords.env, permissions: envPermissions(space) },
      ],
    },
    jetstream: { store_dir: paths.store },
    max_payload: BROKER_MESSAGE_BYTES_MAX,
    max_pending: BROKER_UNREAD_BYTES_MAX,
    max_connections: BROKER_CONNECTIONS_MAX,
    max_subscriptions: BROKER_SUBSCRIPTIONS_MAX,
    // Longer than the longest stall of an event loop that is not yet taken for dead.
    write_deadline: "10s",
  }
  return `${JSON.stringify(config, null, 2)}\n`
}

const OLD_LOGS_MAX = 2

/** All subjects of its space, where its inboxes are too, and what JetStream's clients publish to. */
function daemonPermissions(space: string): { publish: string[]; subscribe: string[] } {
  const own = `bunhouse.${space}.>`
  return {
    publish: [own, "$JS.API.>", "$JS.ACK.>", "$JS.FC.>", "$KV.>", "$O.>"],
    subscribe: [own],
  }
}

/** A space with a wildcard in it would give the env role rights on others' subjects. */
function checkSpace(space: string): void {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(space)) return
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `expected a space of 1 to 64 letters, digits, _ and -, got ${JSON.stringify(space)}`,
  )
}
