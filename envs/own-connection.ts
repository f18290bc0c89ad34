import type { ChannelHandlers } from "../client/connection/transport.ts"
import { Fields, parseJson } from "../protocol/fields.ts"
import { FrameReader, FrameType, FrameWriter } from "../protocol/frame.ts"
import { slotOf } from "../protocol/slots.ts"
import type { OwnSide } from "./daemon-transport.ts"
import type { OwnCall } from "./own-call.ts"

/**
 * One connection of a library in this process, of the loop's or of a thread's, as far as its calls stay in the process: it
 * takes them out of what is sent, and knows which of them somebody waits for.
 */
export class OwnConnection implements OwnSide {
  readonly #desk: CallsDesk
  readonly #env: string
  readonly #handlers: Pick<ChannelHandlers, "message">
  /** Those that somebody waits for, by the slot of the connection's id. */
  #awaited: (OwnCall | undefined)[] = []
  /** Names of functions of this env, by the number under which the connection knows them. */
  readonly #names = new Map<number, string>()
  readonly #frame = new FrameReader()
  #isOpen = true

  constructor(desk: CallsDesk, env: string, handlers: Pick<ChannelHandlers, "message">) {
    this.#desk = desk
    this.#env = env
    this.#handlers = handlers
  }

  /** Returns what is left for the daemon. */
  take(batch: Uint8Array): Uint8Array | undefined {
    const frame = this.#frame
    const count = frame.open(batch)
    const own: Range[] = []
    const others: Range[] = []
    while (frame.next()) (this.#takes(frame) ? own : others).push([frame.start, frame.end])
    const taken = joined(batch, count, own)
    if (taken !== undefined) this.#desk.sent(taken)
    return joined(batch, count, others)
  }

  /** The connection has ended: nobody waits any more. */
  close(): void {
    this.#isOpen = false
    for (const call of this.#awaited) {
      if (call === undefined) continue
      this.#desk.leave(call)
      this.#desk.cancel(call.id)
    }
    this.#awaited = []
  }

  /** Answers in the connection's words. */
  message(batch: Uint8Array, bootId: string): void {
    const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength)
    if (this.#isOpen) this.#handlers.message(bytes, bootId)
  }

  /** Nobody waits for the call any more. */
  forget({ callerId }: OwnCall): void {
    this.#awaited[slotOf(callerId)] = undefined
  }

  /** Whether the frame is one for here; then it has the call's own id from here on. */
  #takes(frame: FrameReader): boolean {
    const { type, target, timeoutMs, serial } = frame
    if (type === FrameType.bind) return this.#bind(frame)
    if (type === FrameType.call) return this.#call(frame)
    const call = this.#awaited[slotOf(frame.id)]
    if (call?.callerId !== frame.id) return false
    if (type === FrameType.cancel) this.#desk.leave(call)
    frame.rename(call.id, target, timeoutMs, serial)
    return true
  }

  /** The daemon hears of it as well: what cannot be done here is done there. */
  #bind({ target, text }: FrameReader): false {
    const what = "the names of a target"
    const fields = new Fields(what, parseJson(what, text))
    if (fields.text("env") === this.#env) this.#names.set(target, fields.text("function"))
    else this.#names.delete(target)
    return false
  }

  #call(frame: FrameReader): boolean {
    const name = this.#names.get(frame.target)
    const call = name === undefined ? undefined : this.#desk.admit(name, frame, this)
    if (call === undefined) return false
    this.#awaited[slotOf(call.callerId)] = call
    return true
  }
}

/** Where the calls of all connections meet (own-calls.ts). */
export interface CallsDesk {
  /** The call that `frame` makes, which bears its own id from here on; undefined where the daemon is to have it. */
  admit(name: string, frame: FrameReader, connection: OwnConnection): OwnCall | undefined
  /** A batch of frames about calls that were admitted. */
  sent(batch: Uint8Array): void
  /** Nobody waits for the call any more. */
  leave(call: OwnCall): void
  cancel(id: number): void
}

/** From where to where frames stand in a batch. */
export type Range = readonly [from: number, to: number]

/** A batch of some of the `count` frames of `batch`. */
export function joined(
  batch: Uint8Array,
  count: number,
  frames: readonly Range[],
): Uint8Array | undefined {
  if (frames.length === count) return batch
  if (frames.length === 0) return undefined
  const writer = new FrameWriter()
  for (const [from, to] of frames) writer.append(batch.subarray(from, to))
  return writer.take()
}
