import type { BunhouseError } from "../../protocol/errors.ts"
import { type FrameReader, FrameType } from "../../protocol/frame.ts"
import { PARTS_STREAM } from "../../protocol/parts/part.ts"
import type { Call, Caller } from "./call.ts"
import type { CallDesk } from "./call-desk.ts"
import { sendPart } from "./flow.ts"
import type { OpenPayload } from "./open-payload.ts"
import { PartFeed } from "./part-feed.ts"
import type { FunctionRoute } from "./route.ts"

/**
 * The payload of one call as the body of a request, or the store, brings it: read as far as the env process has granted,
 * so that the daemon holds little of it. A desk in front of another one: the call that is brought there is fed from the
 * body.
 *
 * Invariants:
 * LB1. The call is answered once: by the env process, or from here when the body ends too soon, or stands still.
 * LB2. When the call has ended, nobody reads the body any more.
 */
export class FedPayload implements CallDesk {
  readonly #desk: CallDesk
  readonly #feed: PartFeed
  /** Granted before the desk has said which call it is. */
  #granted = 0
  #call: Call | undefined
  #fail: ((error: BunhouseError) => void) | undefined

  constructor(desk: CallDesk, payload: OpenPayload) {
    this.#desk = desk
    this.#feed = new PartFeed(payload, {
      part: (part) => {
        if (this.#call !== undefined) sendPart(this.#call, part)
      },
      failed: (error) => this.#fail?.(error),
    })
  }

  submit(caller: Caller, frame: FrameReader, route: FunctionRoute): Call | undefined {
    const fed = new FedCaller(caller, {
      credit: (bytes) => this.#grant(bytes),
      ended: () => this.#end(),
    })
    const call = this.#desk.submit(fed, frame, route)
    if (call === undefined) return undefined
    this.#call = call
    this.#fail = (error) => {
      this.#desk.cancel(call)
      fed.fail(call.callerId, error, call)
    }
    this.#grant(this.#granted)
    return call
  }

  cancel(call: Call): void {
    this.#end()
    this.#desk.cancel(call)
  }

  leave(call: Call): void {
    this.#end()
    this.#desk.leave(call)
  }

  #grant(bytes: number): void {
    if (this.#call === undefined) this.#granted += bytes
    else this.#feed.grant(bytes)
  }

  /** LB2. */
  #end(): void {
    this.#call = undefined
    this.#fail = undefined
    this.#feed.stop()
  }
}

/** A caller whose call is fed. */
class FedCaller implements Caller {
  readonly #caller: Caller
  readonly #feed: { credit(bytes: number): void; ended(): void }

  constructor(caller: Caller, feed: { credit(bytes: number): void; ended(): void }) {
    this.#caller = caller
    this.#feed = feed
  }

  deliver(callerId: number, frame: FrameReader, call: Call): void {
    this.#feed.ended()
    this.#caller.deliver(callerId, frame, call)
  }

  fail(callerId: number, error: BunhouseError, call: Call): void {
    this.#feed.ended()
    this.#caller.fail(callerId, error, call)
  }

  log(callerId: number, frame: FrameReader, call: Call): void {
    this.#caller.log(callerId, frame, call)
  }

  progressed(frame: FrameReader): void {
    this.#caller.progressed?.(frame)
  }

  flow(callerId: number, frame: FrameReader, call: Call): void {
    const isOurs = frame.type === FrameType.credit && frame.serial === PARTS_STREAM
    if (isOurs) this.#feed.credit(frame.timeoutMs)
    else this.#caller.flow(callerId, frame, call)
  }
}
