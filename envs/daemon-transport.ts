import type { BrokerConnection } from "../broker/connection.ts"
import type {
  Channel,
  ChannelHandlers,
  OpenTransport,
  Transport,
} from "../client/connection/transport.ts"
import { asBunhouseError, BunhouseError, encodeErrorRecord } from "../protocol/errors.ts"
import { FrameReader, FrameType, FrameWriter } from "../protocol/frame.ts"

/**
 * How the calls that functions on the loop make reach the daemon: over the broker connection that the env process has
 * anyway. server/envs/nested-calls.ts is the other end.
 *
 * Invariants:
 * L1. Each channel is a session with a number of its own, in the subjects: what is late from an earlier one reaches nobody.
 * L2. A session ends when either side was cut off from the broker: what was on the way may be lost, and no call is left to
 *     wait for what will not come.
 */
export class DaemonTransport implements Transport {
  readonly #connection: BrokerConnection
  readonly #subjects: DaemonSubjects
  #session: Session | undefined
  #sessions = 0
  #handlers: ChannelHandlers | undefined
  readonly #own: OwnDesk

  constructor(connection: BrokerConnection, subjects: DaemonSubjects, own: OwnDesk) {
    this.#connection = connection
    this.#subjects = subjects
    this.#own = own
    connection.onDisconnect(() => this.reset("the connection to the broker was lost"))
  }

  get messageBytesMax(): number {
    return this.#connection.maxMessageBytes
  }

  /** For the one connection of this process. */
  readonly open: OpenTransport = (handlers) => {
    this.#handlers = handlers
    return this
  }

  dial(): Promise<Channel> {
    if (this.#handlers === undefined || !this.#connection.isConnected) {
      const message = "the env process has no connection to the broker"
      return Promise.reject(new BunhouseError("UNAVAILABLE", message, { retryAfterMs: 500 }))
    }
    const number = ++this.#sessions // L1
    const subjects = {
      nested: `${this.#subjects.nested}.${number}`,
      answers: `${this.#subjects.answers}.${number}`,
    }
    this.#session = new Session(this.#connection, subjects, this.#handlers, this.#own)
    return Promise.resolve(this.#session)
  }

  /** L2. */
  reset(reason: string): void {
    this.#session?.end(reason)
    this.#session = undefined
  }
}

/** Who does what need not leave the process (own-calls.ts). */
export interface OwnDesk {
  open(handlers: Pick<ChannelHandlers, "message">): void
  /** Returns what is left for the daemon. */
  take(batch: Uint8Array): Uint8Array | undefined
  close(): void
}

/** Of protocol/subjects.ts, without the number of a session. */
export interface DaemonSubjects {
  readonly nested: string
  readonly answers: string
}

class Session implements Channel {
  readonly #connection: BrokerConnection
  readonly #subject: string
  readonly #handlers: ChannelHandlers
  readonly #answers: { unsubscribe(): void }
  readonly #own: OwnDesk
  #hasEnded = false

  constructor(
    connection: BrokerConnection,
    subjects: DaemonSubjects,
    handlers: ChannelHandlers,
    own: OwnDesk,
  ) {
    this.#connection = connection
    this.#subject = subjects.nested
    this.#handlers = handlers
    this.#own = own
    own.open(handlers)
    this.#answers = connection.subscribe(subjects.answers, (bytes) => this.#receive(bytes))
  }

  send(batch: Uint8Array): void {
    if (this.#hasEnded || !this.#connection.isConnected) return
    const rest = this.#own.take(batch)
    if (rest === undefined) return
    try {
      this.#connection.publish(this.#subject, rest)
    } catch (error) {
      // Told later: who writes to the outbox is in the middle of it.
      setImmediate(() => this.#unsent(rest, asBunhouseError(error, "handing calls to the broker")))
    }
  }

  ref(): void {
    // An env process lives as long as the daemon wants it to.
  }

  unref(): void {
    // As `ref`.
  }

  close(): void {
    this.end("closed by this side")
  }

  end(reason: string): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#answers.unsubscribe()
    this.#own.close()
    // A message without frames: the daemon gives up what the session has asked for.
    if (this.#connection.isConnected) this.#connection.publish(this.#subject, NOTHING)
    this.#handlers.closed(reason)
  }

  #receive(bytes: Uint8Array): void {
    if (this.#hasEnded) return
    try {
      this.#handlers.message(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    } catch (error) {
      this.end(error instanceof Error ? error.message : String(error))
    }
  }

  /** An outside broker may take less than arguments may hold: the calls are answered here. */
  #unsent(batch: Uint8Array, { code, message }: BunhouseError): void {
    const record = encodeErrorRecord(new BunhouseError(code, message, { ran: "no" }))
    const writer = new FrameWriter()
    const frame = new FrameReader()
    frame.open(batch)
    while (frame.next()) {
      if (frame.type === FrameType.bind) return this.end(message) // the daemon does not know the name
      if (frame.type !== FrameType.call && frame.type !== FrameType.items) continue
      writer.write(FrameType.error, 0, frame.id, 0, 0, 0, record)
    }
    this.#receive(writer.take())
  }
}

const NOTHING = new Uint8Array(0)
