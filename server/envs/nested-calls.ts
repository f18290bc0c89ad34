import type { BrokerConnection, Unlisten } from "../../broker/connection.ts"
import { BunhouseError, encodeErrorRecord } from "../../protocol/errors.ts"
import { CONNECTION_ID, FrameType, FrameWriter } from "../../protocol/frame.ts"
import type { EnvSubjects } from "../../protocol/subjects.ts"
import type { SocketCaller, SocketPeer } from "../http/socket.ts"

/**
 * The calls that functions of one env process make, as they come over the broker: its loop and each of its threads is a
 * caller like any other, with the same frames as on a WebSocket. envs/daemon-transport.ts is the other end.
 *
 * Invariants:
 * G1. A caller belongs to one session of the env process, and ends with it; a session that has ended is not taken up
 *     again, and whoever goes on with it is told. Sessions begin in the order of their numbers.
 * G2. When the process is gone, or either side was cut off from the broker, its sessions have ended: their calls are
 *     cancelled, as those of a connection that closes (K2).
 */
export class NestedCalls {
  readonly #options: NestedCallsOptions
  readonly #unlisten: readonly Unlisten[]
  /** The last one that has begun. */
  #last = 0
  readonly #callers = new Map<number, SocketCaller>()

  constructor(options: NestedCallsOptions) {
    this.#options = options
    const { connection, subjects } = options
    const subscription = connection.subscribe(`${subjects.nested}.*`, (bytes, { subject }) => {
      this.#receive(bytes, Number(subject.slice(subjects.nested.length + 1)))
    })
    this.#unlisten = [
      () => subscription.unsubscribe(),
      connection.onDisconnect(() => this.reset()), // G2
    ]
  }

  /** G2. */
  reset(): void {
    for (const session of this.#callers.keys()) this.#end(session)
  }

  /** The process is gone. */
  close(): void {
    for (const unlisten of this.#unlisten) unlisten()
    this.reset()
  }

  #receive(bytes: Uint8Array, session: number): void {
    if (!Number.isSafeInteger(session) || session < 1) return
    if (session > this.#last) {
      this.#last = session
      this.#callers.set(session, this.#open(session))
    }
    const caller = this.#callers.get(session)
    if (bytes.length === 0) this.#end(session)
    else if (caller === undefined) this.#publish(session, gone())
    else caller.receive(bytes)
  }

  #open(session: number): SocketCaller {
    const { connection, open } = this.#options
    return open(
      {
        send: (batch) => this.#publish(session, batch),
        close: () => this.#end(session),
        // What an env process does not read, the broker keeps, until it cuts it off.
        unreadBytes: 0,
      },
      connection.maxMessageBytes,
    )
  }

  #end(session: number): void {
    const caller = this.#callers.get(session)
    this.#callers.delete(session)
    caller?.closed()
  }

  /** While the broker is away, nobody waits for it (G2). */
  #publish(session: number, batch: Uint8Array): void {
    const { connection, subjects } = this.#options
    if (connection.isConnected) connection.publish(`${subjects.answers}.${session}`, batch)
  }
}

export interface NestedCallsOptions {
  readonly connection: BrokerConnection
  readonly subjects: Pick<EnvSubjects, "nested" | "answers">
  /** `messageBytesMax`: of what it sends to the peer. */
  readonly open: (peer: SocketPeer, messageBytesMax: number) => SocketCaller
}

function gone(): Uint8Array {
  const message = "the daemon was cut off from the env process and gave up what it had asked for"
  const record = encodeErrorRecord(new BunhouseError("UNAVAILABLE", message, { ran: "maybe" }))
  const writer = new FrameWriter()
  writer.write(FrameType.error, 0, CONNECTION_ID, 0, 0, 0, record)
  return writer.take()
}
