import type { BrokerConnection } from "../../broker/connection.ts"
import type { ControlRequest } from "../../protocol/env-control.ts"

/** What the daemon says to one env process beside calls. What is said first is heard first. */
export class ControlLine {
  readonly #connection: BrokerConnection
  readonly #subject: string
  readonly #isReachable: () => boolean

  constructor(connection: BrokerConnection, subject: string, isReachable: () => boolean) {
    this.#connection = connection
    this.#subject = subject
    this.#isReachable = isReachable
  }

  /** Says what is not answered. What cannot be said now is not said later. */
  say(request: ControlRequest): void {
    if (this.#isReachable()) this.#connection.publish(this.#subject, bytesOf(request))
  }

  /** Rejects when there is no answer within `patienceMs`. */
  ask(request: ControlRequest, patienceMs: number): Promise<Uint8Array> {
    return this.#connection.request(this.#subject, bytesOf(request), patienceMs)
  }
}

function bytesOf(request: ControlRequest): Buffer {
  return Buffer.from(JSON.stringify(request))
}
