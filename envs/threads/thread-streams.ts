import { FrameReader, FrameType } from "../../protocol/frame.ts"
import { BROKER_MESSAGE_BYTES_MAX } from "../../protocol/limits.ts"
import { Outbox } from "../../protocol/outbox.ts"
import type { RunningCall } from "../call-context.ts"
import { CallStreams, replyStreamEnd } from "../call-streams.ts"
import type { LoadedFunction } from "../run-call.ts"

/**
 * The stream that a thread sends, one at a time: items and the end go to the pool, credit and cancel come back, through a
 * port of its own. The channel beside it carries calls and the word that the thread is free again; what is posted here is
 * read between two slices of the generator.
 *
 * Invariant:
 * TS1. For each stream the port carries a hello, items, and one reply or error, all with the id of the call.
 */
export class ThreadStreams {
  readonly #outbox: Outbox
  readonly #frame = new FrameReader()
  readonly #itemBytesMax: number
  #call: RunningCall | undefined

  constructor(port: MessagePort, itemBytesMax: number) {
    this.#itemBytesMax = itemBytesMax
    this.#outbox = new Outbox({
      send: (batch) => port.postMessage(batch),
      messageBytesMax: BROKER_MESSAGE_BYTES_MAX,
      flushAfter: "microtasks",
    })
    port.addEventListener("message", ({ data }) => this.#receive(data))
    port.start()
  }

  /** Runs a call whose result is a stream. Resolves when it has ended, and does not reject. */
  run(fn: LoadedFunction, call: RunningCall, flags: number, args: unknown[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { id } = call
    const outbox = this.#outbox
    const streams = new CallStreams(
      {
        sink: outbox,
        id,
        flags,
        itemBytesMax: this.#itemBytesMax,
        ended: (end) => {
          this.#call = undefined
          replyStreamEnd(outbox, call, flags, end)
          outbox.flush()
          resolve()
        },
      },
      args,
    )
    call.streams = streams
    this.#call = call
    outbox.open(0).write(FrameType.hello, 0, id, 0, 0, 0)
    streams.call(() => fn.call(...args))
    return promise
  }

  #receive(data: unknown): void {
    if (!(data instanceof Uint8Array)) return
    const frame = this.#frame
    frame.open(data)
    while (frame.next()) {
      const call = this.#call
      if (call === undefined || call.id !== frame.id) continue
      if (frame.type === FrameType.cancel) call.cancel()
      else if (frame.type === FrameType.credit) call.streams?.credit(frame)
    }
  }
}
