import type { BrokerConnection } from "../broker/connection.ts"
import type { Channel, ChannelHandlers, OpenTransport } from "../client/connection/transport.ts"
import { asBunhouseError, BunhouseError, encodeErrorRecord } from "../protocol/errors.ts"
import { FrameReader, FrameType, FrameWriter } from "../protocol/frame.ts"

/**
 * How the calls that functions make reach the daemon: over the broker connection that the env process has anyway. The loop's
 * library has a channel, and that of each thread. server/envs/nested-calls.ts is the other end.
 *
 * Invariants:
 * L1. Each channel is a session with a number of its own, in the subjects: what is late from an earlier one reaches nobody.
 *     The numbers are given in the order in which sessions first say something.
 * L2. All sessions end when either side was cut off from the broker: what was on the way may be lost, and no call is left
 *     to wait for what will not come.
 */
export class DaemonTransport {
  readonly #connection: BrokerConnection
  readonly #subjects: DaemonSubjects
  readonly #own: OwnDesk
  readonly #sessions = new Set<Session>()
  #last = 0

  constructor(connection: BrokerConnection, subjects: DaemonSubjects, own: OwnDesk) {
    this.#connection = connection
    this.#subjects = subjects
    this.#own = own
    connection.onDisconnect(() => this.reset("the connection to the broker was lost"))
  }

  readonly open: OpenTransport = (handlers) => ({
    messageBytesMax: this.#connection.maxMessageBytes,
    dial: () => this.dial(handlers),
  })

  /** @throws {BunhouseError} UNAVAILABLE while the broker is away. */
  dial(handlers: ChannelHandlers): Channel {
    if (!this.#connection.isConnected) {
      const message = "the env process has no connection to the broker"
      throw new BunhouseError("UNAVAILABLE", message, { retryAfterMs: 500 })
    }
    const session: Session = new Session({
      connection: this.#connection,
      handlers,
      own: this.#own.connect(handlers),
      begin: () => this.#begin(),
      ended: () => this.#sessions.delete(session),
    })
    this.#sessions.add(session)
    return session
  }

  /** L2. */
  reset(reason: string): void {
    for (const session of this.#sessions) session.end(reason)
  }

  /** L1. */
  #begin(): DaemonSubjects {
    const number = ++this.#last
    const { nested, answers } = this.#subjects
    return { nested: `${nested}.${number}`, answers: `${answers}.${number}` }
  }
}

/** Who does what need not leave the process (own-calls.ts). */
export interface OwnDesk {
  connect(handlers: Pick<ChannelHandlers, "message">): OwnSide
}

/** Of one channel. */
export interface OwnSide {
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
  readonly #parts: SessionParts
  /** Once something was sent. */
  #daemon: { readonly subject: string; readonly answers: { unsubscribe(): void } } | undefined
  #hasEnded = false

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  send(batch: Uint8Array): void {
    const { connection, own } = this.#parts
    if (this.#hasEnded || !connection.isConnected) return
    const rest = own.take(batch)
    if (rest === undefined) return
    this.#daemon ??= this.#begin()
    try {
      connection.publish(this.#daemon.subject, rest)
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
    const { connection, own, ended, handlers } = this.#parts
    ended()
    own.close()
    this.#daemon?.answers.unsubscribe()
    // A message without frames: the daemon gives up what the session has asked for.
    if (this.#daemon !== undefined && connection.isConnected) {
      connection.publish(this.#daemon.subject, NOTHING)
    }
    handlers.closed(reason)
  }

  #begin() {
    const { connection, begin } = this.#parts
    const { nested: subject, answers } = begin()
    return { subject, answers: connection.subscribe(answers, (bytes) => this.#receive(bytes)) }
  }

  #receive(bytes: Uint8Array): void {
    if (this.#hasEnded) return
    try {
      this.#parts.handlers.message(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
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

interface SessionParts {
  readonly connection: BrokerConnection
  readonly handlers: ChannelHandlers
  readonly own: OwnSide
  /** Gives it a number. */
  readonly begin: () => DaemonSubjects
  readonly ended: () => void
}

const NOTHING = new Uint8Array(0)
