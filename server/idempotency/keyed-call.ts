import { asBunhouseError, BunhouseError, encodeErrorRecord } from "../../protocol/errors.ts"
import { FrameFlag, type FrameReader, FrameType } from "../../protocol/frame.ts"
import { PARTS_STREAM } from "../../protocol/parts/part.ts"
import type { StoredContent } from "../../protocol/stored-content.ts"
import type { Call, Caller } from "../calls/call.ts"
import type { StoredPayloads } from "../payloads/stored-payloads.ts"
import { StoredResult } from "../payloads/stored-result.ts"
import type { Asker } from "./asker.ts"
import { batchOf, frameBy } from "./frames.ts"

/** The one call of a key that runs, as the dispatcher's caller, on behalf of all who ask for it. */
export class KeyedCall implements Caller {
  readonly id: string
  readonly askers = new Set<Asker>()
  /** Whose arguments run. */
  bringer: Asker
  /** The dispatcher's. */
  call: Call | undefined = undefined
  readonly #payloads: StoredPayloads
  readonly #ended: KeyedEnd
  /** A result that comes in parts. */
  #result: StoredResult | undefined
  #isOver = false

  constructor(id: string, bringer: Asker, payloads: StoredPayloads, ended: KeyedEnd) {
    this.id = id
    this.bringer = bringer
    this.#payloads = payloads
    this.#ended = ended
  }

  /** Nobody wants its end. */
  giveUp(): void {
    this.#isOver = true
    this.#result?.giveUp()
  }

  deliver(_callerId: number, frame: FrameReader, call: Call): void {
    const isInParts = frame.type === FrameType.reply && (frame.flags & FrameFlag.parts) !== 0
    if (this.#result === undefined || !isInParts) return this.#end({ call, frame })
    const reply = batchOf(frame)
    void this.#finish(this.#result, call, reply)
  }

  fail(_callerId: number, error: BunhouseError, call: Call): void {
    this.#end({ call, error })
  }

  log(_callerId: number, frame: FrameReader, call: Call): void {
    for (const asker of this.askers) asker.call.caller?.log(asker.call.callerId, frame, call)
  }

  /** A call with a key has no streams, but parts: of the result, and credit for those of the arguments. */
  flow(_callerId: number, frame: FrameReader, call: Call): void {
    if (frame.type === FrameType.part) return this.#resultOf(call).add(frame)
    const isCredit = frame.type === FrameType.credit && frame.serial === PARTS_STREAM
    if (isCredit) this.bringer.grant(frame.timeoutMs)
  }

  #resultOf(call: Call): StoredResult {
    const failed = (error: BunhouseError) => this.#unkept(call, error)
    this.#result ??= new StoredResult({ payloads: this.#payloads, call, failed })
    return this.#result
  }

  /** Never rejects. */
  async #finish(result: StoredResult, call: Call, reply: Uint8Array): Promise<void> {
    try {
      const content = await result.finish()
      if (this.#isOver) this.#payloads.drop(content)
      else this.#end({ call, frame: frameBy(reply), content })
    } catch (cause) {
      this.#unkept(call, asBunhouseError(cause, "keeping the result"))
    }
  }

  /** The function ran, and that is how its call ended: who asks again must not make it run again. */
  #unkept(call: Call, { code, message }: BunhouseError): void {
    const record = encodeErrorRecord(new BunhouseError(code, message, { ran: "yes" }))
    const frame = frameBy((writer) => writer.write(FrameType.error, 0, 0, 0, 0, 0, record))
    this.#end({ call, frame })
  }

  #end(end: CallEnd): void {
    if (this.#isOver) return
    this.#isOver = true
    if (end.content === undefined) this.#result?.giveUp()
    this.#ended(this, end)
  }
}

/** How a call ended: by the frame that is told, or by an error of the platform. */
export type CallEnd =
  | {
      readonly call: Call
      readonly frame: FrameReader
      /** The result, where the frame is a reply whose payload travels in parts. */
      readonly content?: StoredContent
    }
  | { readonly call: Call; readonly error: BunhouseError; readonly content?: undefined }

/** Called once. */
export type KeyedEnd = (keyed: KeyedCall, end: CallEnd) => void
