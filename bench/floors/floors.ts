import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { connect, type NatsConnection } from "nats"
import { join } from "node:path"
import type { Call } from "../load.ts"
import { startProgram, type Program } from "../program.ts"
import { multiplexed } from "./multiplexed.ts"

/** What the figures are held against, each in a process of its own: nothing of bunhouse is in here. */
export interface Floors extends AsyncDisposable {
  /** One `nats.request()` to a bare responder, through a broker of its own. */
  nats(): Promise<void>
  /** The same with a payload, which comes back. */
  natsEcho(payload: Uint8Array): Promise<void>
  /** Many calls in one message, by hand, through the same broker. */
  readonly multiplexed: Call
  /** Who takes part in those, by id. */
  readonly natsProcesses: Readonly<Record<"broker" | "env process", number>>
  /** That broker, for peers that use NATS too. */
  readonly natsUrl: string
  /** One message to a bare WebSocket echo and back. */
  webSocket(): Promise<void>
  /** One HTTP request to a bare echo. */
  readonly httpUrl: string
}

export async function startFloors(natsServer: string): Promise<Floors> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), "bunhouse-floors-"))
  const config = join(folder, "nats.conf")
  // Up to twice the daemon's 8 MiB a message: what it cuts, others send as one.
  writeFileSync(config, `listen: 127.0.0.1:${port}\nmax_payload: 32MB\nmax_pending: 512MB\n`)
  const broker = await startProgram([natsServer, "-c", config], "Server is ready")
  const server = `127.0.0.1:${port}`
  const responder = await startProgram(
    [process.execPath, join(import.meta.dir, "nats-responder.ts"), server],
    "ready",
  )
  const echo = await startProgram(
    [process.execPath, join(import.meta.dir, "websocket-echo.ts")],
    /^(\d+)$/m,
  )
  const connection = await connect({ servers: server })
  const socket = await openSocket(`ws://127.0.0.1:${echo.matched}`)
  return {
    httpUrl: `http://127.0.0.1:${echo.matched}/`,
    natsUrl: `nats://${server}`,
    nats: () => request(connection, PAYLOAD),
    natsEcho: (payload) => request(connection, payload),
    multiplexed: multiplexed(connection),
    natsProcesses: { broker: broker.pid, "env process": responder.pid },
    webSocket: () => roundTrip(socket),
    async [Symbol.asyncDispose]() {
      socket.close()
      await connection.close()
      for (const program of [echo, responder, broker] satisfies Program[]) await program.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const PAYLOAD = new Uint8Array(16)

async function request(connection: NatsConnection, payload: Uint8Array): Promise<void> {
  const reply = await connection.request("echo", payload, { timeout: 10_000 })
  if (reply.data.length !== payload.length) throw new Error("a wrong reply")
}

function roundTrip(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.addEventListener("message", () => resolve(), { once: true })
    socket.send(PAYLOAD)
  })
}

function openSocket(url: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url)
    socket.binaryType = "arraybuffer"
    socket.addEventListener("open", () => resolve(socket), { once: true })
    socket.addEventListener("error", () => reject(new Error(`cannot connect to ${url}`)))
  })
}

async function freePort(): Promise<number> {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = server
  server.stop()
  return port
}
