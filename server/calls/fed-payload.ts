import type { BunhouseError } from "../../protocol/errors.ts"
import { type FrameReader, FrameType } from "../../protocol/frame.ts"
import { PART_BYTES_MAX } from "../../protocol/limits.ts"
import { PARTS_STREAM } from "../../protocol/parts/part.ts"
import type { Call, Caller } from "./call.ts"
import type { CallDesk } from "./call-desk.ts"
import { sendPart } from "./flow.ts"
import { type BodyReader, nextBytes, type OpenPayload } from "./open-payload.ts"
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
  readonly #total: number
  readonly #body: BodyReader
  readonly #broken: OpenPayload["broken"]
  #chunk: Uint8Array
  #at = 0
  #granted = 0
  #isPumping = false
  #call: Call | undefined
  #fail: ((error: BunhouseError) => void) | undefined

  constructor({ desk, total, first, body, broken }: FedPayloadParts) {
    this.#desk = desk
    this.#total = total
    this.#chunk = first
    this.#body = body
    this.#broken = broken
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
    this.#granted = Math.min(this.#total, this.#granted + bytes)
    if (!this.#isPumping) void this.#pump()
  }

  /** Never rejects. */
  async #pump(): Promise<void> {
    this.#isPumping = true
    try {
      while (this.#call !== undefined && this.#at < this.#granted) {
        if (this.#chunk.length === 0) this.#chunk = await nextBytes(this.#body)
        else this.#send(this.#call)
      }
    } catch (cause) {
      this.#fail?.(this.#broken(this.#at, cause))
    }
    this.#isPumping = false
  }

  #send(call: Call): void {
    const at = this.#at
    const end = Math.min(this.#granted - at, PART_BYTES_MAX)
    const bytes = this.#chunk.subarray(0, end)
    this.#chunk = this.#chunk.subarray(end)
    this.#at += bytes.length
    sendPart(call, { at, total: this.#total, bytes })
  }

  /** LB2. */
  #end(): void {
    if (this.#call === undefined) return
    this.#call = undefined
    this.#fail = undefined
    this.#chunk = NOTHING
    void this.#body.cancel()
  }
}

export interface FedPayloadParts extends OpenPayload {
  readonly desk: CallDesk
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

const NOTHING = new Uint8Array(0)
