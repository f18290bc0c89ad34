import { readFileSync } from "node:fs"
import {
  type ConnectionOptions,
  credsAuthenticator,
  errors,
  type NatsConnection,
  NatsConnectionImpl,
} from "@nats-io/nats-core/internal"
import { now } from "../protocol/deadlines.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { BROKER_WAIT_MS_MAX } from "../protocol/limits.ts"
import type { BrokerAddress } from "./external.ts"
import { NatsBrokerConnection, type Outage } from "./nats-connection.ts"
import { reasonOf } from "./reason.ts"
import { chooseTransport } from "./transport.ts"

/**
 * A connection to the broker. It comes back by itself, without limit, whenever the broker does.
 *
 * Invariants:
 * B1. Nothing is sent into the void: while the broker is away `publish` throws and `request` rejects, where the client
 *     library would drop what is published and say nothing.
 * B2. What was asked before the broker went away is settled the moment this is known (`BROKER_LOST`), not when its
 *     timeout ends.
 * B3. No rejection of the library goes unhandled, and no error thrown by a listener reaches the library, which would
 *     stop reading.
 */
export interface BrokerConnectionOptions extends BrokerAddress {
  /** Shown by the broker's own tools. */
  readonly name: string
  /** Answers to requests arrive on subjects below it; the broker must allow it. */
  readonly inboxPrefix: string
  /** Ends an attempt to connect. */
  readonly signal?: AbortSignal
}

/** What is known of a message beside its bytes. */
export interface BrokerMessage {
  readonly subject: string
  /** Where an answer is expected. */
  readonly reply: string | undefined
  /** The broker says, in place of an answer, that nobody listens on the subject that was published to. */
  readonly noResponders: boolean
}

export interface BrokerSubscription {
  unsubscribe(): void
}

/** Ends the listening. */
export type Unlisten = () => void

export interface BrokerConnection {
  readonly isConnected: boolean
  /** Longest message that the broker takes; what is longer is published in fragments (fragments.ts). */
  readonly maxMessageBytes: number
  readonly serverVersion: string
  /**
   * Hands bytes to the broker; they must not change until the next turn of the event loop. Throws UNAVAILABLE while
   * the broker is away (B1) and PAYLOAD_TOO_LARGE for over BROKER_MESSAGE_BYTES_MAX, both before anything was sent.
   */
  publish(subject: string, bytes: Uint8Array, reply?: string): void
  /** Legal while the broker is away; lasts over reconnects. The bytes belong to the listener. */
  subscribe(
    subject: string,
    onMessage: (bytes: Uint8Array, message: BrokerMessage) => void,
  ): BrokerSubscription
  /**
   * Publishes and waits for one answer, which must fit one message. Rejects with UNAVAILABLE (not connected, or nobody listens),
   * DEADLINE_EXCEEDED, or BROKER_LOST at once when the broker goes away (B2).
   */
  request(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array>
  onDisconnect(listener: () => void): Unlisten
  onReconnect(listener: () => void): Unlisten
  /**
   * What went wrong beside any call: refused subjects, refused credentials, a listener that threw, a cluster's server
   * that is about to stop. Where nobody listens, it is thrown as an uncaught exception.
   */
  onError(listener: (error: BunhouseError) => void): Unlisten
  /** Settles once the broker has taken all that was sent and subscribed before. */
  flush(): Promise<void>
  /** Closing twice is fine. What is still pending is cancelled; call `flush` first for what must arrive. */
  close(): Promise<void>
}

/** Tries for BROKER_WAIT_MS_MAX. Throws UNAVAILABLE, UNAUTHENTICATED, CANCELLED or INVALID_ARGUMENT. */
export async function connectBroker(options: BrokerConnectionOptions): Promise<BrokerConnection> {
  const { url, signal } = options
  const dueAt = now() + BROKER_WAIT_MS_MAX
  const outage: Outage = { since: dueAt }
  const settings = natsOptions(options, outage)
  await chooseTransport(settings.tls !== undefined)
  for (;;) {
    try {
      return new NatsBrokerConnection(await dial(settings, signal), outage)
    } catch (cause) {
      if (cause instanceof BunhouseError) throw cause
      const message = `the broker at ${url} cannot be reached: ${reasonOf(cause)}`
      if (cause instanceof errors.AuthorizationError) {
        throw new BunhouseError("UNAUTHENTICATED", message, { cause })
      }
      if (now() >= dueAt) throw new BunhouseError("UNAVAILABLE", message, { cause })
    }
    await Bun.sleep(RETRY_MS + Math.random() * RETRY_MS)
  }
}

const RETRY_MS = 50
const DIAL_TIMEOUT_MS = 2_000
const PING_INTERVAL_MS = 5_000
const PINGS_UNANSWERED_MAX = 2
/** A broker that comes back is found quickly; one that stays away is asked less often. */
const RECONNECT_MS = 100
const RECONNECT_SLOW_MS = 1_000
const RECONNECT_SLOW_AFTER_MS = 10_000

function natsOptions(options: BrokerConnectionOptions, outage: Outage): ConnectionOptions {
  const { url, user = "", password = "", credentialsFile, name, inboxPrefix } = options
  return {
    servers: url.split(",").map((server) => server.replace(/^\w+:\/\//, "")),
    ...(url.startsWith("tls://") && { tls: {} }),
    ...(user !== "" && (password === "" ? { token: user } : { user, pass: password })),
    ...(credentialsFile !== undefined && {
      authenticator: credsAuthenticator(readCredentials(credentialsFile)),
    }),
    name,
    inboxPrefix,
    timeout: DIAL_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: PINGS_UNANSWERED_MAX,
    maxReconnectAttempts: -1,
    reconnectDelayHandler() {
      const isLong = now() - outage.since > RECONNECT_SLOW_AFTER_MS
      const ms = isLong ? RECONNECT_SLOW_MS : RECONNECT_MS
      // Jitter: many connections were lost in the same moment.
      return ms / 2 + Math.random() * ms
    },
    // Credentials that are refused now may be accepted later; until then we are not connected (B1).
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  }
}

function readCredentials(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    const message = `the credentials file for the broker cannot be read: ${reasonOf(cause)}`
    throw new BunhouseError("INVALID_ARGUMENT", message, { cause })
  }
}

async function dial(
  settings: ConnectionOptions,
  signal: AbortSignal | undefined,
): Promise<NatsConnection> {
  const { promise: cancelled, reject } = Promise.withResolvers<never>()
  const cancel = () => {
    reject(new BunhouseError("CANCELLED", "connecting to the broker was cancelled", { ran: "no" }))
  }
  if (signal?.aborted === true) cancel()
  signal?.addEventListener("abort", cancel)
  const attempt = NatsConnectionImpl.connect(settings)
  try {
    return await Promise.race([cancelled, attempt])
  } catch (error) {
    // A connection that is made after all is not wanted any more; one that is not made was reported or cancelled.
    void attempt.then((nats) => nats.close()).catch(() => {})
    throw error
  } finally {
    signal?.removeEventListener("abort", cancel)
  }
}
