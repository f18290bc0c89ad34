import {
  checkOptions,
  type ConnectionOptions,
  errors,
  extractProtocolMessage,
  INFO,
  type Server,
  type ServerInfo,
  setTransportFactory,
  type Transport,
} from "@nats-io/nats-core/internal"
import { PACKAGE_VERSION } from "../protocol/version.ts"

/**
 * Chooses by what the client library reaches the broker from now on, in the whole process: plaintext goes by Bun's own
 * sockets, TLS by the library's transport. That one, made of node:net and node:tls, would take 14 ms of each start and 6 MB
 * of each process, and a tenth longer for a message, so it is loaded when it is asked for.
 */
export async function chooseTransport(usesTls: boolean): Promise<void> {
  if (usesTls) {
    const { NodeTransport } = await import("nats/lib/node_transport.js")
    setTransportFactory({ factory: () => new NodeTransport(), dnsResolveFn: addressesOf })
  } else {
    setTransportFactory({ factory: () => new PlaintextTransport(), dnsResolveFn: addressesOf })
  }
}

/**
 * One attempt to connect to a server, and the connection that comes of it. The library makes another for each attempt.
 *
 * Invariants:
 * T1. Never speaks plaintext where TLS was asked for, nor to a server that offers it.
 * T2. `closed()` settles only after a connection was made and not discarded: the library reconnects upon it.
 * T3. The socket is gone as soon as the library closes or discards: no peer that has stopped reading holds it.
 */
class PlaintextTransport implements Transport {
  readonly lang = "bunhouse"
  readonly version = PACKAGE_VERSION
  closeError?: Error
  #socket: Bun.Socket | undefined
  #isConnected = false
  #isDone = false
  /** Not yet taken by the library. */
  #received: Uint8Array[] = []
  #arrival = Promise.withResolvers<void>()
  /** What the socket could not take yet, in order. */
  readonly #unsent: Uint8Array[] = []
  readonly #closed = Promise.withResolvers<void | Error>()

  get isClosed(): boolean {
    return this.#isDone
  }

  async connect(server: Server, options: ConnectionOptions): Promise<void> {
    if (options.tls) throw new errors.ConnectionError("this transport does not speak TLS") // T1
    const greeted = Promise.withResolvers<ServerInfo>()
    await this.#dial(server, greeted)
    const info = await greeted.promise
    checkOptions(info, options)
    if (info.tls_required === true || info.tls_available === true) {
      throw new errors.ConnectionError("the server speaks TLS: its address is tls://")
    }
    this.#isConnected = true
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    while (!this.#isDone) {
      await this.#arrival.promise
      this.#arrival = Promise.withResolvers()
      const received = this.#received
      this.#received = []
      yield* received
    }
  }

  isEncrypted(): boolean {
    return false
  }

  send(frame: Uint8Array): void {
    const left = this.#unsent.length > 0 ? frame : this.#write(frame)
    if (left.length > 0) this.#unsent.push(left)
  }

  async close(error?: Error): Promise<void> {
    this.#end(error)
  }

  disconnect(): void {
    this.#end()
  }

  closed(): Promise<void | Error> {
    return this.#closed.promise
  }

  discard(): void {
    this.#isConnected = false // T2
    this.#end()
  }

  async #dial(server: Server, greeted: PromiseWithResolvers<ServerInfo>): Promise<void> {
    greeted.promise.catch(() => {}) // Told to `connect`, if that still waits.
    const end = (error?: Error) => {
      greeted.reject(new errors.ConnectionError("the connection was closed", { cause: error }))
      this.#end(error)
    }
    try {
      this.#socket = await Bun.connect({
        hostname: server.hostname,
        port: server.port,
        socket: {
          binaryType: "uint8array",
          data: (_socket, bytes) => {
            this.#received.push(bytes)
            if (!this.#isConnected) this.#readGreeting(greeted)
            this.#arrival.resolve()
          },
          drain: () => this.#drain(),
          close: (_socket, error) => end(error),
          error: (_socket, error) => end(error),
        },
      })
    } catch (cause) {
      const message = isRefused(cause) ? "connection refused" : "cannot connect"
      throw new errors.ConnectionError(message, { cause })
    }
    if (this.#isDone) this.#socket.end() // T3: closed meanwhile.
  }

  #readGreeting(greeted: PromiseWithResolvers<ServerInfo>): void {
    try {
      const line = extractProtocolMessage(Buffer.concat(this.#received))
      if (line === "") return
      const info = INFO.exec(line)?.[1]
      if (info === undefined) throw new errors.ProtocolError("it does not speak NATS")
      greeted.resolve(JSON.parse(info))
    } catch (error) {
      greeted.reject(error)
    }
  }

  /** Returns what the socket did not take. */
  #write(bytes: Uint8Array): Uint8Array {
    const taken = this.#socket?.write(bytes) ?? -1
    // A connection that is lost takes nothing, and is told by its own event.
    return taken < 0 ? NOTHING : bytes.subarray(taken)
  }

  #drain(): void {
    while (this.#unsent.length > 0) {
      let [count, bytes] = [0, 0]
      while (bytes < WRITE_BYTES && count < this.#unsent.length) {
        bytes += this.#unsent[count++]?.length ?? 0
      }
      const [first = NOTHING, ...more] = this.#unsent.splice(0, count)
      const left = this.#write(more.length === 0 ? first : Buffer.concat([first, ...more]))
      if (left.length > 0) return void this.#unsent.unshift(left)
    }
  }

  #end(error?: Error): void {
    if (this.#isDone) return
    this.#isDone = true
    if (error !== undefined) this.closeError = error
    this.#socket?.end()
    this.#arrival.resolve()
    if (this.#isConnected) this.#closed.resolve(error)
  }
}

const NOTHING = new Uint8Array(0)
/** So much of what waits is written at once: it may be many small frames. */
const WRITE_BYTES = 256 * 1024

function isRefused(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ECONNREFUSED"
}

/**
 * Of a name, so that the library tries each: the servers of a cluster may share one. By the system's resolver, because Bun's
 * own reads the system's settings once and never again.
 */
async function addressesOf(host: string): Promise<string[]> {
  const found = await Bun.dns.lookup(host, { backend: "libc" })
  return found.map(({ address }) => address)
}
