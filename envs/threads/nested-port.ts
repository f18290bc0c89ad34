import type { Channel, ChannelHandlers } from "../../client/connection/transport.ts"
import { asBunhouseError } from "../../protocol/errors.ts"

/** The end of nested-transport.ts that the pool has: what functions on one thread ask for goes on from here. */
export class NestedPort {
  readonly #port: MessagePort
  readonly #state: Int32Array
  readonly #dial: Dial
  #channel: Channel | undefined

  constructor({ port, state }: NestedEnds, dial: Dial, onBlocked: () => void) {
    this.#port = port
    this.#state = state
    this.#dial = dial
    port.addEventListener("message", ({ data }) => {
      const said: FromThread = data // it posts nothing else
      if (said === "blocked") onBlocked()
      else this.#hear(said)
    })
    port.start()
  }

  /** The thread is gone. */
  close(): void {
    this.#channel?.close()
    this.#channel = undefined
    this.#port.close()
  }

  /** What the thread says while it has no channel is of one that has ended; it is about to hear of that. */
  #hear(said: Exclude<FromThread, "blocked">): void {
    if (said === "open") this.#open()
    else if (said === "close") this.#channel?.close()
    else this.#channel?.send(said)
  }

  #open(): void {
    this.#channel?.close()
    try {
      this.#channel = this.#dial({
        message: (bytes, bootId) => this.#say({ kind: "batch", bytes, bootId }),
        closed: (reason) => {
          this.#channel = undefined
          this.#say({ kind: "closed", reason })
        },
      })
    } catch (error) {
      this.#say({ kind: "closed", reason: asBunhouseError(error, "reaching the daemon").message })
    }
  }

  #say(what: ToThread): void {
    this.#port.postMessage(what)
    Atomics.store(this.#state, 0, 1)
    Atomics.notify(this.#state, 0)
  }
}

/** Opens a channel to the daemon (daemon-transport.ts). */
export type Dial = (handlers: ChannelHandlers) => Channel

/** What the pool is given of a port. */
export interface NestedEnds {
  readonly port: MessagePort
  /** One word: 1 where something was posted that a blocked thread has not taken in. */
  readonly state: Int32Array
}

/** `blocked`: the thread waits for what it sends next. */
export type FromThread = "open" | "close" | "blocked" | Uint8Array

export type ToThread =
  | { readonly kind: "batch"; readonly bytes: Uint8Array; readonly bootId: string | undefined }
  | { readonly kind: "closed"; readonly reason: string }
