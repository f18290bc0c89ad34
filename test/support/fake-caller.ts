import type { BunhouseError } from "../../protocol/errors.ts"
import { type FrameReader, FrameType } from "../../protocol/frame.ts"
import type { Caller } from "../../server/calls/call.ts"

/** How a caller heard of the end of a call. */
export type Heard =
  | { readonly kind: "value"; readonly text: string }
  | { readonly kind: "thrown"; readonly text: string }
  | { readonly kind: "failed"; readonly error: BunhouseError }

/** A caller that remembers everything it was told, by its own ids. */
export class FakeCaller implements Caller {
  /** Payloads of log frames. */
  readonly logged: string[] = []
  readonly heard = new Map<number, Heard[]>()
  /** Items and credit that passed, in order. */
  readonly flowed: { readonly callerId: number; readonly type: number; readonly text: string }[] =
    []

  deliver(callerId: number, frame: FrameReader): void {
    const text = Buffer.from(frame.payload).toString()
    this.#add(callerId, { kind: frame.type === FrameType.reply ? "value" : "thrown", text })
  }

  log(_callerId: number, frame: FrameReader): void {
    this.logged.push(Buffer.from(frame.payload).toString())
  }

  flow(callerId: number, frame: FrameReader): void {
    this.flowed.push({ callerId, type: frame.type, text: Buffer.from(frame.payload).toString() })
  }

  fail(callerId: number, error: BunhouseError): void {
    this.#add(callerId, { kind: "failed", error })
  }

  /** The one end of a call; undefined while there is none. Fails when it was told twice. */
  endOf(callerId: number): Heard | undefined {
    const [end, ...more] = this.heard.get(callerId) ?? []
    if (more.length > 0) throw new Error(`call ${callerId} ended ${more.length + 1} times`)
    return end
  }

  /** The platform error that ended a call; fails when it ended otherwise or not. */
  errorOf(callerId: number): BunhouseError {
    const end = this.endOf(callerId)
    if (end?.kind === "failed") return end.error
    throw new Error(`expected call ${callerId} to have failed, got ${JSON.stringify(end)}`)
  }

  #add(callerId: number, heard: Heard): void {
    this.heard.set(callerId, [...(this.heard.get(callerId) ?? []), heard])
  }
}
