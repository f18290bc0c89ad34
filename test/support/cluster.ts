import { join } from "node:path"
import { writeFileSync } from "node:fs"
import { temporaryFolder } from "./folder.ts"
import { natsServer } from "./nats-server.ts"
import { until } from "./until.ts"

/** A NATS server of somebody else, with JetStream and a user, as BUNHOUSE_NATS_URL names it; gone with the scope. */
export interface Cluster extends AsyncDisposable {
  /** By its IP address, with user and password. */
  readonly url: string
  readonly password: string
  /** What the server wrote. */
  log(): Promise<string>
  /** Ends the server as a crash would, and starts it anew. */
  restart(): Promise<void>
}

export interface ClusterOptions {
  /** Lines of its configuration. Default: none, so that messages are of 1 MiB at most. */
  readonly config?: string
  /** It speaks TLS only, by `test/fixtures/tls`. Default: plaintext. */
  readonly tls?: boolean
}

/** The authority to trust for `tls`, by NODE_EXTRA_CA_CERTS. */
export const CLUSTER_AUTHORITY = join(import.meta.dir, "../fixtures/tls/ca.pem")

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { config = "", tls = false } = options
  const { path: program } = await natsServer()
  const folder = temporaryFolder()
  const port = freePort()
  const configFile = folder.join("nats.conf")
  const logFile = folder.join("nats.log")
  writeFileSync(
    configFile,
    [
      `listen: "127.0.0.1:${port}"`,
      `jetstream { store_dir: "${folder.join("jetstream")}" }`,
      `authorization { user: "${USER}", password: "${PASSWORD}" }`,
      tls ? `tls { cert_file: "${fixture("cert.pem")}", key_file: "${fixture("key.pem")}" }` : "",
      config,
    ].join("\n"),
  )
  const start = async () => {
    const child = Bun.spawn([program, "-c", configFile, "-l", logFile], {
      stdio: ["ignore", "ignore", "ignore"],
    })
    await until(() => isListening(port), "the NATS server to listen")
    return child
  }
  let child = await start()
  const end = async () => {
    child.kill("SIGKILL")
    await child.exited
  }
  return {
    url: `${tls ? "tls" : "nats"}://${USER}:${PASSWORD}@127.0.0.1:${port}`,
    password: PASSWORD,
    log: () => Bun.file(logFile).text(),
    async restart() {
      await end()
      child = await start()
    },
    async [Symbol.asyncDispose]() {
      await end()
      folder[Symbol.dispose]()
    },
  }
}

const USER = "bunhouse"
const PASSWORD = "of-the-cluster"

function fixture(name: string): string {
  return join(import.meta.dir, "../fixtures/tls", name)
}

function freePort(): number {
  using server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  return server.port
}

async function isListening(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })
    socket.end()
    return true
  } catch {
    return false
  }
}
