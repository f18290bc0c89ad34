import { BunhouseError } from "../protocol/errors.ts"
import type { Environment } from "../protocol/home.ts"
import { isLoopback } from "./loopback.ts"

/** Where a broker is and as whom to connect; what `connectBroker` needs, and plain JSON. */
export interface BrokerAddress {
  /** One server or several, separated by commas, without credentials: `tls://a:4222,tls://b:4222`. */
  readonly url: string
  /** Without a password it is a token. */
  readonly user?: string
  readonly password?: string
  /** Path of a NATS credentials file (JWT and seed). */
  readonly credentialsFile?: string
}

/**
 * The cluster that BUNHOUSE_NATS_URL names, or undefined where it names none and the embedded broker is meant.
 *
 *     BUNHOUSE_NATS_URL       nats://[user:password@]host[:port] or tls://…; several separated by commas;
 *                             nats://token@host for a server with a token
 *     BUNHOUSE_NATS_CREDS     path of a credentials file
 *     BUNHOUSE_NATS_INSECURE  "1" allows plaintext to other machines
 *
 * Code, arguments and results travel over this connection, so plaintext is for this machine only. Throws
 * INVALID_ARGUMENT; the message never repeats the credentials.
 */
export function externalBroker(environment: Environment): BrokerAddress | undefined {
  const text = environment["BUNHOUSE_NATS_URL"]
  if (text === undefined || text.trim() === "") return undefined
  const servers = text.split(",").map((part) => readServer(part.trim()))
  const [first] = servers
  if (first === undefined) return undefined
  if (servers.some((server) => server.scheme !== first.scheme)) {
    throw invalid("either all servers with tls:// or all with nats://")
  }
  if (servers.some(({ user, password }) => user !== first.user || password !== first.password)) {
    throw invalid("the same user and password for all servers")
  }
  const open = servers.find((server) => server.scheme === "nats" && !isLoopback(server.hostname))
  if (open !== undefined && environment["BUNHOUSE_NATS_INSECURE"] !== "1") {
    throw invalid(
      `tls:// for another machine (${open.hostname}); BUNHOUSE_NATS_INSECURE=1 allows plaintext`,
    )
  }
  const credentialsFile = environment["BUNHOUSE_NATS_CREDS"]
  return {
    url: servers.map(({ scheme, host }) => `${scheme}://${host}`).join(","),
    ...(first.user !== "" && { user: first.user, password: first.password }),
    ...(credentialsFile !== undefined && credentialsFile !== "" && { credentialsFile }),
  }
}

interface Server {
  readonly scheme: "nats" | "tls"
  readonly host: string
  readonly hostname: string
  readonly user: string
  readonly password: string
}

const DEFAULT_PORT = 4222

function readServer(part: string): Server {
  const url = URL.parse(part.includes("://") ? part : `nats://${part}`)
  const scheme = url?.protocol.slice(0, -1)
  if (url === null || url.hostname === "" || (scheme !== "nats" && scheme !== "tls")) {
    throw invalid("nats://[user:password@]host[:port] or tls://…, several separated by commas")
  }
  if ((url.pathname !== "" && url.pathname !== "/") || url.search !== "" || url.hash !== "") {
    throw invalid("nothing after the port of a server")
  }
  return {
    scheme,
    host: `${url.hostname}:${url.port === "" ? DEFAULT_PORT : url.port}`,
    hostname: url.hostname,
    user: decode(url.username),
    password: decode(url.password),
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid("%-escapes in user and password to be well-formed")
  }
}

function invalid(expected: string): BunhouseError {
  return new BunhouseError("INVALID_ARGUMENT", `expected in BUNHOUSE_NATS_URL: ${expected}`)
}
