import type {
  Channel,
  ChannelHandlers,
  OpenTransport,
  ThreadWait,
  Transport,
} from "../../client/connection/transport.ts"
import { BROKER_MESSAGE_BYTES_MAX } from "../../protocol/limits.ts"
import type { FromThread, NestedEnds, ToThread } from "./nested-port.ts"

/**
 * How the calls that functions on a thread make reach the loop of the env process, and by that the daemon: through a port
 * that is made when a function first asks for the library. nested-port.ts is the other end.
 *
 * Invariants:
 * NT1. What the thread says, the loop hears in that order, and the other way round: also which channel it belongs to.
 * NT2. A thread that is blocked takes in what comes, by `wait`; one that is not, by the port's messages.
 */
export class NestedTransport implements Transport, ThreadWait {
  readonly messageBytesMax = BROKER_MESSAGE_BYTES_MAX
  readonly #give: (ends: NestedEnds) => void
  #line: Line | undefined

  /** `give` hands the other end to the loop. */
  constructor(give: (ends: NestedEnds) => void) {
    this.#give = give
  }

  readonly open: OpenTransport = (handlers) => {
    const { port1: port, port2 } = new MessageChannel()
    const state = new Int32Array(new SharedArrayBuffer(4))
    this.#line = new Line(port, state, handlers)
    this.#give({ port: port2, state })
    return this
  }

  dial(): Channel {
    const line = this.#line
    if (line === undefined) throw new Error("dialled before it was opened")
    return line.open()
  }

  begin(): void {
    this.#line?.say("blocked")
  }

  wait(ms: number): void {
    this.#line?.wait(ms)
  }
}

class Line {
  readonly #port: MessagePort
  readonly #state: Int32Array
  readonly #handlers: ChannelHandlers
  readonly #received: ReceiveMessage
  #isOpen = false

  constructor(port: MessagePort, state: Int32Array, handlers: ChannelHandlers) {
    this.#port = port
    this.#state = state
    this.#handlers = handlers
    // Not imported: it would be a third of what a thread costs, and most make no calls.
    this.#received = process.getBuiltinModule("node:worker_threads").receiveMessageOnPort
    port.addEventListener("message", ({ data }) => this.#hear(data))
    port.start()
  }

  open(): Channel {
    this.#isOpen = true
    this.say("open")
    return {
      send: (batch) => {
        if (this.#isOpen) this.say(batch)
      },
      ref: () => {}, // a thread lives as long as its pool wants it to
      unref: () => {},
      close: () => this.say("close"),
    }
  }

  wait(ms: number): void {
    Atomics.wait(this.#state, 0, 0, ms)
    Atomics.store(this.#state, 0, 0)
    for (let next = this.#take(); next !== undefined; next = this.#take()) this.#hear(next.message)
  }

  #take(): { readonly message: ToThread } | undefined {
    return this.#received(this.#port)
  }

  say(what: FromThread): void {
    this.#port.postMessage(what)
  }

  #hear(said: ToThread): void {
    if (said.kind === "batch") this.#handlers.message(Buffer.from(said.bytes), said.bootId)
    else {
      this.#isOpen = false
      this.#handlers.closed(said.reason)
    }
  }
}

type ReceiveMessage = (port: MessagePort) => { readonly message: ToThread } | undefined
