import { type Msg, type NatsConnection, type ServerInfo, type Status } from "@nats-io/nats-core"
import { now } from "../protocol/deadlines.ts"
import { asBunhouseError, BunhouseError } from "../protocol/errors.ts"
import { BROKER_MESSAGE_BYTES_MAX } from "../protocol/limits.ts"
import { away, requestError, statusError, tooLong } from "./nats-errors.ts"
import { type Fragment, FragmentJoiner, fragmentsOf, isFragment } from "./fragments.ts"
import type { BrokerConnection, BrokerMessage, BrokerSubscription, Unlisten } from "./connection.ts"

/**
 * A `BrokerConnection` made of the NATS client library's connection. The contract, and the invariants cited here, are
 * connection.ts's.
 */
export class NatsBrokerConnection implements BrokerConnection {
  readonly inner: InnerConnection
  readonly #nats: NatsConnection
  readonly #outage: Outage
  readonly #joiner = new FragmentJoiner()
  readonly #waiting = new Set<(error: BunhouseError) => void>()
  readonly #disconnectListeners = new Set<() => void>()
  readonly #reconnectListeners = new Set<() => void>()
  readonly #errorListeners = new Set<(error: BunhouseError) => void>()
  #info: ServerInfo | undefined
  #isConnected = true
  #closing: Promise<void> | undefined

  constructor(nats: NatsConnection, outage: Outage) {
    this.#nats = nats
    this.#outage = outage
    this.inner = { nats, untilLost: (start) => this.#untilLost(start) }
    void this.#follow() // Never rejects, and ends with the connection.
  }

  get isConnected(): boolean {
    return this.#isConnected
  }

  get maxMessageBytes(): number {
    return this.#serverInfo?.max_payload ?? 0
  }

  get serverVersion(): string {
    return this.#serverInfo?.version ?? "unknown"
  }

  publish(subject: string, bytes: Uint8Array, reply?: string): void {
    this.#check(bytes)
    const answer = reply === undefined ? undefined : { reply }
    if (bytes.length <= this.maxMessageBytes) {
      this.#nats.publish(subject, bytes, answer)
    } else {
      const { headers, bytes: last } = this.#publishAllButLast(subject, bytes)
      this.#nats.publish(subject, last, { headers, ...answer })
    }
  }

  subscribe(
    subject: string,
    onMessage: (bytes: Uint8Array, message: BrokerMessage) => void,
  ): BrokerSubscription {
    if (this.#closing !== undefined) throw new BunhouseError("CANCELLED", CLOSED)
    const subscription = this.#nats.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return // A refusal: `#follow` is told of it too.
        const bytes = isFragment(message) ? this.#joiner.join(message) : message.data
        if (bytes === undefined) return
        this.#guard(`handling a message on ${subject}`, () => {
          onMessage(bytes, new Received(message))
        })
      },
    })
    return { unsubscribe: () => subscription.unsubscribe() }
  }

  async request(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    this.#check(bytes)
    const timeout = Math.max(1, Math.ceil(timeoutMs))
    const ask = (): Promise<Msg> => {
      if (bytes.length <= this.maxMessageBytes) {
        return this.#nats.request(subject, bytes, { timeout })
      }
      const { headers, bytes: last } = this.#publishAllButLast(subject, bytes)
      return this.#nats.request(subject, last, { timeout, headers })
    }
    try {
      const answer = await this.#untilLost(ask)
      if (isFragment(answer)) throw tooLong("an answer", this.maxMessageBytes)
      return answer.data
    } catch (error) {
      throw requestError(error, subject, timeout)
    }
  }

  onDisconnect(listener: () => void): Unlisten {
    return listen(this.#disconnectListeners, listener)
  }

  onReconnect(listener: () => void): Unlisten {
    return listen(this.#reconnectListeners, listener)
  }

  onError(listener: (error: BunhouseError) => void): Unlisten {
    return listen(this.#errorListeners, listener)
  }

  async flush(): Promise<void> {
    try {
      await this.#untilLost(() => this.#nats.flush())
    } catch (error) {
      throw asBunhouseError(error, "flushing the connection to the broker")
    }
  }

  async close(): Promise<void> {
    this.#closing ??= this.#nats.close()
    this.#lose("CANCELLED", CLOSED)
    await this.#closing
  }

  /** Kept while the library has none, which is when it reconnects. */
  get #serverInfo(): ServerInfo | undefined {
    this.#info = this.#nats.info ?? this.#info
    return this.#info
  }

  #check(bytes: Uint8Array): void {
    if (!this.#isConnected) throw away()
    if (bytes.length <= BROKER_MESSAGE_BYTES_MAX) return
    throw tooLong(`a message of ${bytes.length} bytes`, BROKER_MESSAGE_BYTES_MAX)
  }

  /** Returns the last fragment of what is too long for one message. */
  #publishAllButLast(subject: string, bytes: Uint8Array): Fragment {
    const fragments = fragmentsOf(bytes, this.maxMessageBytes)
    const last = fragments.pop()
    if (last === undefined) throw new BunhouseError("INTERNAL", "a long message without bytes")
    for (const { headers, bytes: part } of fragments) this.#nats.publish(subject, part, { headers })
    return last
  }

  async #untilLost<T>(start: () => Promise<T>): Promise<T> {
    if (!this.#isConnected) throw away()
    const { promise: lost, reject } = Promise.withResolvers<never>()
    this.#waiting.add(reject)
    try {
      return await Promise.race([start(), lost])
    } finally {
      this.#waiting.delete(reject)
    }
  }

  async #follow(): Promise<void> {
    for await (const status of this.#nats.status()) this.#heed(status)
  }

  #heed(status: Status): void {
    switch (status.type) {
      case "disconnect":
      case "staleConnection":
        return this.#lose("BROKER_LOST", "the connection to the broker was lost")
      case "reconnect":
        this.#isConnected = true
        return this.#tell(this.#reconnectListeners)
      case "close":
        if (this.#closing !== undefined) return
        this.#lose("BROKER_LOST", "the connection to the broker was lost")
        return this.#report(new BunhouseError("BROKER_LOST", "the broker's client has given up"))
      case "error":
        return this.#report(statusError(status.error))
      case "ldm":
        return this.#report(
          new BunhouseError("UNAVAILABLE", `the broker at ${status.server} is about to stop`),
        )
      case "reconnecting":
      case "forceReconnect":
      case "update":
      case "ping":
      case "slowConsumer":
        return
      default:
        status satisfies never
    }
  }

  #lose(code: "BROKER_LOST" | "CANCELLED", message: string): void {
    if (!this.#isConnected) return
    this.#isConnected = false
    this.#joiner.clear()
    this.#outage.since = now()
    for (const reject of this.#waiting) reject(new BunhouseError(code, message)) // B2
    this.#tell(this.#disconnectListeners)
  }

  #tell(listeners: ReadonlySet<() => void>): void {
    for (const listener of listeners) this.#guard("a listener of the broker connection", listener)
  }

  /** Runs code that is not ours (B3). */
  #guard(what: string, run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#report(asBunhouseError(error, what))
    }
  }

  #report(error: BunhouseError): void {
    if (this.#errorListeners.size === 0) {
      queueMicrotask(() => {
        throw error
      })
    }
    for (const listener of this.#errorListeners) listener(error)
  }
}

const CLOSED = "the connection to the broker was closed"

/** For store.ts only: the library's connection, and what ends waiting for it when the broker goes away (B2). */
export function innerConnection(connection: BrokerConnection): InnerConnection {
  if (connection instanceof NatsBrokerConnection) return connection.inner
  throw new BunhouseError("INTERNAL", "expected a connection made by connectBroker")
}

export interface InnerConnection {
  readonly nats: NatsConnection
  readonly untilLost: <T>(start: () => Promise<T>) => Promise<T>
}

/** Since when the broker has been away, on the monotonic clock. */
export interface Outage {
  since: number
}

/** Decodes what is asked for only: of most messages nobody reads more than the bytes. */
class Received implements BrokerMessage {
  readonly #message: Msg

  constructor(message: Msg) {
    this.#message = message
  }

  get subject(): string {
    return this.#message.subject
  }

  get reply(): string | undefined {
    const { reply } = this.#message
    return reply === undefined || reply === "" ? undefined : reply
  }

  get noResponders(): boolean {
    return this.#message.data.length === 0 && this.#message.headers?.code === 503
  }
}

function listen<T>(listeners: Set<T>, listener: T): Unlisten {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}
