import type {
  BrokerConnection,
  BrokerMessage,
  BrokerSubscription,
  Unlisten,
} from "../../broker/connection.ts"
import { BunhouseError } from "../../protocol/errors.ts"

type Listener = (bytes: Uint8Array, message: BrokerMessage) => void

/** A connection to a broker that is a test: what is published is kept, what arrives is said by hand. */
export class FakeConnection implements BrokerConnection {
  readonly serverVersion = "0"
  readonly maxMessageBytes = 1 << 20
  isConnected = true
  readonly #published: { readonly subject: string; readonly bytes: Uint8Array }[] = []
  readonly #subscribed = new Map<string, Listener>()
  readonly #onDisconnect = new Set<() => void>()
  readonly #onReconnect = new Set<() => void>()
  #limit = Number.POSITIVE_INFINITY
  #refusal = new BunhouseError("INTERNAL", "refused")

  publish(subject: string, bytes: Uint8Array): void {
    if (!this.isConnected) throw new BunhouseError("UNAVAILABLE", "away")
    if (bytes.length > this.#limit) throw this.#refusal
    this.#published.push({ subject, bytes })
  }

  subscribe(subject: string, onMessage: Listener): BrokerSubscription {
    this.#subscribed.set(subject, onMessage)
    return { unsubscribe: () => this.#subscribed.delete(subject) }
  }

  request(): Promise<Uint8Array> {
    return Promise.reject(new BunhouseError("UNAVAILABLE", "nobody answers here"))
  }

  onDisconnect(listener: () => void): Unlisten {
    return listen(this.#onDisconnect, listener)
  }

  onReconnect(listener: () => void): Unlisten {
    return listen(this.#onReconnect, listener)
  }

  onError(): Unlisten {
    return () => {}
  }

  flush(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Everything that was published on a subject. */
  publishedOn(subject: string): Uint8Array[] {
    return this.#published.filter((each) => each.subject === subject).map(({ bytes }) => bytes)
  }

  /** Subscriptions and listeners that nobody has taken back. */
  get listeners(): number {
    return this.#subscribed.size + this.#onDisconnect.size + this.#onReconnect.size
  }

  /** A message arrives. */
  receive(subject: string, bytes: Uint8Array, reply?: string): void {
    const listener =
      this.#subscribed.get(subject) ?? this.#subscribed.get(subject.replace(/[^.]*$/, "*"))
    listener?.(bytes, { subject, reply, noResponders: false })
  }

  lose(): void {
    this.isConnected = false
    for (const listener of this.#onDisconnect) listener()
  }

  comeBack(): void {
    this.isConnected = true
    for (const listener of this.#onReconnect) listener()
  }

  /** From now on messages of more bytes are refused. */
  refuseOver(bytes: number, refusal = this.#refusal): void {
    this.#limit = bytes
    this.#refusal = refusal
  }
}

function listen(listeners: Set<() => void>, listener: () => void): Unlisten {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}
