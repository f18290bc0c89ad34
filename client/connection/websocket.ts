import type { Socket } from "bun"
import { BunhouseError } from "../../protocol/errors.ts"
import { PROTOCOL_HEADER, paths } from "../../protocol/http.ts"
import { CONNECT_TIMEOUT_MS } from "../../protocol/limits.ts"
import { PROTOCOL_VERSION } from "../../protocol/version.ts"
import type { Channel, ChannelHandlers } from "./transport.ts"
import { readUpgrade, upgradeRequest } from "./upgrade.ts"
import { encodeHead, MessageParser, Opcode } from "./websocket-frames.ts"

/**
 * A WebSocket client that can be let go: `unref` lets the process exit while it is open. Bun's own `WebSocket` always
 * keeps the process alive, so a script that had awaited its calls would never end. Only binary messages; no
 * compression; the server's pings are answered.
 */
export class ClientSocket implements Channel {
  readonly #handlers: ChannelHandlers
  readonly #parser = new MessageParser()
  #socket: Socket | undefined
  /** Bytes that the system did not take yet. */
  #backlog: Uint8Array[] = []
  #isClosed = false

  private constructor(handlers: ChannelHandlers) {
    this.#handlers = handlers
  }

  /**
   * Opens a socket to a daemon. `handlers` hear of its end also when this rejects.
   *
   * @throws {BunhouseError} what the daemon answered instead of an upgrade, UNAVAILABLE when it does not answer within
   *   `timeoutMs`; errors of `Bun.connect` as they are.
   */
  static async open(
    url: string,
    token: string,
    handlers: ChannelHandlers,
    timeoutMs = CONNECT_TIMEOUT_MS,
  ): Promise<ClientSocket> {
    const socket = new ClientSocket(handlers)
    await socket.#connect(new URL(url), token, timeoutMs)
    return socket
  }

  /** The bytes must not change any more. */
  send(message: Uint8Array): void {
    this.#send(Opcode.binary, message)
  }

  /** While referenced, the socket keeps the process alive. */
  ref(): void {
    this.#socket?.ref()
  }

  unref(): void {
    this.#socket?.unref()
  }

  close(): void {
    this.#end("closed by this side")
  }

  async #connect(url: URL, token: string, timeoutMs: number): Promise<void> {
    const { request, accept } = upgradeRequest(url, paths.connect, {
      authorization: `Bearer ${token}`,
      [PROTOCOL_HEADER]: String(PROTOCOL_VERSION),
    })
    const upgraded = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      const message = `whoever listens at ${url.host} did not answer within ${timeoutMs} ms`
      upgraded.reject(new BunhouseError("UNAVAILABLE", message))
      this.#end("too slow to open")
    }, timeoutMs)
    const onData = this.#upgradeReader(accept, upgraded)
    const isSecure = url.protocol === "https:"
    const connected = Bun.connect({
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port) || (isSecure ? 443 : 80),
      ...(isSecure && { tls: true }),
      socket: {
        data: (_socket, chunk) => onData(chunk),
        drain: () => this.#drain(),
        close: () => {
          upgraded.reject(
            new BunhouseError("UNAVAILABLE", "the connection closed before it was upgraded"),
          )
          this.#end("closed by the daemon")
        },
        error: (_socket, error) => {
          upgraded.reject(error)
          this.#end(error.message)
        },
      },
    })
    connected.then((socket) => this.#connected(socket, request), upgraded.reject)
    try {
      await upgraded.promise
    } finally {
      clearTimeout(timer)
    }
  }

  #connected(socket: Socket, request: Buffer): void {
    // It was given up meanwhile.
    if (this.#isClosed) return void socket.end()
    this.#socket = socket
    this.#write(request)
  }

  /** Takes what arrives: the answer to the upgrade first, then messages. */
  #upgradeReader(accept: string, upgraded: PromiseWithResolvers<void>): (chunk: Buffer) => void {
    let head: Buffer | undefined = Buffer.alloc(0)
    return (chunk) => {
      if (head === undefined) return this.#receive(chunk)
      try {
        head = Buffer.concat([head, chunk])
        const rest = readUpgrade(head, accept)
        if (rest === undefined) return
        head = undefined
        upgraded.resolve()
        if (rest.length > 0) this.#receive(rest)
      } catch (error) {
        upgraded.reject(error)
        this.#end("the upgrade was refused")
      }
    }
  }

  #receive(chunk: Buffer): void {
    try {
      for (const { opcode, payload } of this.#parser.push(chunk)) {
        if (opcode === Opcode.binary) this.#handlers.message(payload)
        else if (opcode === Opcode.ping) this.#send(Opcode.pong, payload)
        else if (opcode === Opcode.close) this.#end("closed by the daemon")
      }
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error))
    }
  }

  #send(opcode: number, payload: Uint8Array): void {
    const head = encodeHead(opcode, payload)
    // One call of the system for the two, unless copying costs more than a second call.
    if (payload.length <= COPIED_BYTES_MAX) return this.#write(Buffer.concat([head, payload]))
    this.#write(head)
    this.#write(payload)
  }

  #write(bytes: Uint8Array): void {
    const socket = this.#socket
    if (socket === undefined || this.#isClosed) return
    if (this.#backlog.length > 0) {
      this.#backlog.push(bytes)
      return
    }
    const written = socket.write(bytes)
    if (written < bytes.length) this.#backlog.push(bytes.subarray(Math.max(written, 0)))
  }

  #drain(): void {
    const backlog = this.#backlog
    this.#backlog = []
    for (const bytes of backlog) this.#write(bytes)
  }

  #end(reason: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#backlog = []
    this.#socket?.end()
    this.#handlers.closed(reason)
  }
}

const COPIED_BYTES_MAX = 65_536
