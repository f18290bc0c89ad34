import { BunhouseError } from "../../protocol/errors.ts"
import { BODY_BYTES_MAX, RECONNECT_MS_MAX } from "../../protocol/limits.ts"
import { now } from "../../protocol/deadlines.ts"
import { type Address, noDaemon, withReason } from "../settings.ts"
import type { ChannelHandlers, OpenTransport, Transport } from "./transport.ts"
import { ClientSocket } from "./websocket.ts"

/** A WebSocket to the daemon at `address`, which is asked each time one is opened. */
export function byWebSocket(address: () => Address): OpenTransport {
  return (handlers) => new Dialer(address, handlers)
}

/**
 * Opens sockets to the daemon. Where there was a daemon a moment ago it may be restarting, so that opening is tried
 * again for RECONNECT_MS_MAX, with growing, jittered waits; where there never was one, the first refusal counts.
 */
export class Dialer implements Transport {
  readonly messageBytesMax = BODY_BYTES_MAX
  readonly #address: () => Address
  readonly #handlers: ChannelHandlers
  #hadConnection = false

  constructor(address: () => Address, handlers: ChannelHandlers) {
    this.#address = address
    this.#handlers = handlers
  }

  /**
   * Undefined when `isWanted` no longer holds between two tries.
   *
   * @throws {BunhouseError} NO_DAEMON, or the daemon's refusal.
   */
  async dial(isWanted: () => boolean): Promise<ClientSocket | undefined> {
    const giveUpAt = this.#hadConnection ? now() + RECONNECT_MS_MAX : 0
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, WAIT_MS_MAX)) {
      try {
        const socket = await open(this.#address(), this.#handlers)
        this.#hadConnection = true
        return socket
      } catch (error) {
        const isFinal = error instanceof BunhouseError && !RETRIED.has(error.code)
        if (isFinal || now() >= giveUpAt) throw error
      }
      await Bun.sleep(waitMs / 2 + (Math.random() * waitMs) / 2)
      if (!isWanted()) return undefined
    }
  }
}

async function open(address: Address, handlers: ChannelHandlers): Promise<ClientSocket> {
  const { url, token } = address
  let isOpen = false
  let end: string | undefined
  const socket = await ClientSocket.open(url, token, {
    message: (bytes) => handlers.message(bytes),
    closed: (reason) => {
      // Until it is open its end is told by the rejection alone.
      if (isOpen) handlers.closed(reason)
      else end = reason
    },
  }).catch((error: unknown) => {
    if (error instanceof BunhouseError) throw withReason(error, address)
    throw noDaemon(url, error)
  })
  if (end !== undefined) throw new BunhouseError("UNAVAILABLE", `the connection was ${end} at once`)
  isOpen = true
  return socket
}

const RETRIED = new Set(["NO_DAEMON", "UNAVAILABLE"])
const FIRST_WAIT_MS = 20
const WAIT_MS_MAX = 300
