import { FrameFlag, FrameType, type FrameReader } from "../../protocol/frame.ts"
import { PARTS_STREAM } from "../../protocol/parts/part.ts"
import type { Call } from "../../server/calls/call.ts"
import { forward } from "../../server/calls/flow.ts"
import { FakeCaller } from "./fake-caller.ts"
import { batchOf, type FrameParts, standingOn } from "./frames.ts"
import { Lab } from "./lab.ts"
import { ARGS, RESULT } from "./large-jobs.ts"
import { until } from "./until.ts"

/** Calls with one key whose arguments, and results, come in parts, between a caller and an env that do what a test says. */
export class KeyedLab extends Lab {
  override readonly caller = new PartsCaller()

  /** A call that comes without its arguments; `id` is the caller's. */
  begin(id: number, more: LargeCall = {}): Call {
    const call = this.desk.submit(this.caller, largeCall(id, more), this.route)
    if (call === undefined) throw new Error(`refused: ${this.caller.errorOf(id).message}`)
    return call
  }

  /** The arguments of a call, or what of them begins at `at`. */
  bring(call: Call, { args = ARGS, at = 0, upTo = args.length, ...more }: Piece = {}): void {
    const { total = args.length } = more
    const payload = args.slice(at, upTo)
    const frame = batchOf(FrameType.part, { target: at, timeoutMs: total, payload })
    forward(call, standingOn(frame))
  }

  /** The caller of a call takes more of its result. */
  take(call: Call, bytes: number): void {
    const frame = batchOf(FrameType.credit, { timeoutMs: bytes, serial: PARTS_STREAM })
    forward(call, standingOn(frame))
  }

  /** What the env process was sent. */
  get calls() {
    return this.env.link?.calls ?? []
  }

  /** What it was sent in parts of the last call. */
  get fed(): string {
    const id = this.calls.at(-1)?.id
    const parts = this.env.link?.received(FrameType.part) ?? []
    return parts.flatMap((part) => (part.id === id ? [part.text] : [])).join("")
  }

  /** The env process grants more of the arguments of the last call. */
  grant(bytes: number): void {
    this.#say(FrameType.credit, { timeoutMs: bytes, serial: PARTS_STREAM })
  }

  /** It answers the last call. */
  answer(payload = "ok"): void {
    this.#say(FrameType.reply, { payload })
  }

  /** It has a result that it wants to send in parts. */
  announce(text = RESULT): void {
    this.#say(FrameType.part, { timeoutMs: text.length })
  }

  /** It sends a result in parts, and replies behind it. */
  async answerLarge(text = RESULT): Promise<void> {
    const before = this.#credited
    this.announce(text)
    await until(() => this.#credited > before, "credit for the result")
    this.#say(FrameType.part, { timeoutMs: text.length, payload: text })
    this.#say(FrameType.reply, { flags: FrameFlag.parts })
  }

  get #credited(): number {
    return this.env.link?.received(FrameType.credit).length ?? 0
  }

  #say(type: FrameType, frame: FrameParts): void {
    const { link } = this.env
    if (link === undefined) throw new Error("no link")
    const id = this.calls.at(-1)?.id ?? 0
    this.dispatcher.replies(link, standingOn(batchOf(type, { id, ...frame })))
  }
}

/** Its calls bring their arguments in parts, as far as they are asked to, and take results as they are told to. */
class PartsCaller extends FakeCaller {
  readonly granted = new Map<number, number>()
  readonly parts = new Map<number, string>()

  override flow(id: number, frame: FrameReader): void {
    const { type, serial, timeoutMs, payload } = frame
    if (type === FrameType.credit && serial === PARTS_STREAM) {
      this.granted.set(id, (this.granted.get(id) ?? 0) + timeoutMs)
    } else if (type === FrameType.part) {
      this.parts.set(id, (this.parts.get(id) ?? "") + Buffer.from(payload).toString())
    }
  }
}

interface LargeCall {
  readonly args?: string
  readonly flags?: number
  readonly timeoutMs?: number
}

/** The frame of a call whose arguments come in parts. */
export function largeCall(id: number, more: LargeCall = {}): FrameReader {
  const { args = ARGS, flags = 0, timeoutMs = 0 } = more
  const parts = { flags: flags | FrameFlag.parts, serial: args.length, timeoutMs }
  return standingOn(batchOf(FrameType.call, { id, extra: `{"key":"k"}`, ...parts }))
}

interface Piece {
  readonly args?: string
  readonly at?: number
  readonly upTo?: number
  readonly total?: number
}
