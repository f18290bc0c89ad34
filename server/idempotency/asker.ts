import { BunhouseError } from "../../protocol/errors.ts"
import { FrameFlag, type FrameReader } from "../../protocol/frame.ts"
import { PART_BYTES_MAX } from "../../protocol/limits.ts"
import { type Part, PARTS_STREAM, payloadBytesOf } from "../../protocol/parts/part.ts"
import { writeCredit } from "../../protocol/streams/credit.ts"
import type { Call, PayloadTaker } from "../calls/call.ts"
import { sendPart } from "../calls/flow.ts"
import type { Blocked } from "../calls/nesting.ts"
import { batchOf, frameBy } from "./frames.ts"
import type { KeyedCall } from "./keyed-call.ts"
import type { OutcomeFeed } from "./outcome-feed.ts"
import type { RecordedOutcome } from "./outcomes.ts"

/** What tells the arguments of one call from those of another. */
export interface Fingerprint {
  readonly bytes: number
  /** The encoding counts: an outcome is in the encoding of the call that it was for. */
  readonly isJson: boolean
  /** Of all bytes; undefined as long as they are not all there. */
  digest: string | undefined
}

/** As far as can be told. */
export function differ(one: Fingerprint, other: Fingerprint): boolean {
  if (one.bytes !== other.bytes || one.isJson !== other.isJson) return true
  return one.digest !== undefined && other.digest !== undefined && one.digest !== other.digest
}

/**
 * One who makes a call with a key. What arguments in parts are can be told when all of them have come: they pass through
 * here, on their way to the env process or only to be looked at, and are kept nowhere.
 */
export class Asker implements PayloadTaker {
  /** Whom to tell, and what of. */
  readonly call: Call
  readonly key: string
  readonly fingerprint: Fingerprint
  readonly blocked: Blocked | undefined
  /** On the clock of the deadlines. */
  readonly dueAt: number
  /** What it waits for: a call that runs, or its outcome when that is there already. */
  keyed: KeyedCall | undefined = undefined
  outcome: RecordedOutcome | undefined = undefined
  /** Sends it the outcome. */
  feed: OutcomeFeed | undefined = undefined
  readonly #events: AskerEvents
  readonly #hash = new Bun.CryptoHasher("sha256")
  #received = 0
  /** Of arguments that are only looked at. */
  #granted = 0
  /** The call's frame, as long as its arguments may still be brought to an env process. */
  #head: Uint8Array | undefined
  /** Where they are brought. */
  #to: Call | undefined

  constructor(
    frame: FrameReader,
    about: Pick<Asker, "call" | "key" | "blocked" | "dueAt">,
    events: AskerEvents,
  ) {
    this.call = about.call
    this.call.payloads = this
    this.key = about.key
    this.blocked = about.blocked
    this.dueAt = about.dueAt
    this.#events = events
    const isJson = (frame.flags & FrameFlag.json) !== 0
    this.fingerprint = { bytes: payloadBytesOf(frame), isJson, digest: undefined }
    if (frame.flags & FrameFlag.parts) this.#head = batchOf(frame)
    else this.#add(frame.bytes.subarray(frame.payloadStart, frame.end))
  }

  /** All of its arguments have come. */
  get isComplete(): boolean {
    return this.fingerprint.digest !== undefined
  }

  /** The call's frame again, for arguments that are not complete. */
  frame(): FrameReader | undefined {
    return this.#head === undefined ? undefined : frameBy(this.#head)
  }

  /** What comes of the arguments goes on to `call`, whose env process grants credit for it. */
  bring(call: Call): void {
    this.#to = call
  }

  /** Takes the arguments in, for their digest alone. */
  look(): void {
    const end = Math.min(this.fingerprint.bytes, this.#received + LOOK_BYTES_MAX)
    if (end > this.#granted) this.grant(end - this.#granted)
    this.#granted = end
  }

  /** So much more of its arguments may come. */
  grant(bytes: number): void {
    const { caller, callerId } = this.call
    const credit = { items: 0, bytes }
    const frame = frameBy((writer) => writeCredit(writer, callerId, PARTS_STREAM, credit))
    caller?.flow(callerId, frame, this.call)
  }

  part(part: Part): void {
    const { at, total, bytes } = part
    const to = this.#to
    const { fingerprint } = this
    if (this.isComplete) return
    if (to !== undefined) sendPart(to, part)
    const isFitting = at === this.#received && total === fingerprint.bytes
    if (!isFitting || at + bytes.length > total) {
      // An env process says so itself.
      if (to === undefined) this.#events.broken(this, notFitting(this.call, at, total))
      return
    }
    this.#add(bytes)
    if (to === undefined) this.look()
    if (this.isComplete) this.#events.complete(this)
  }

  granted(bytes: number): void {
    this.feed?.grant(bytes)
  }

  #add(bytes: Uint8Array): void {
    this.#hash.update(bytes)
    this.#received += bytes.length
    if (this.#received < this.fingerprint.bytes) return
    this.fingerprint.digest = this.#hash.digest("base64")
    this.#head = undefined
  }
}

export interface AskerEvents {
  /** Its arguments have all come, in parts. */
  complete(asker: Asker): void
  /** They cannot be taken in. */
  broken(asker: Asker, error: BunhouseError): void
}

/** On the way of one that is looked at. */
const LOOK_BYTES_MAX = 2 * PART_BYTES_MAX

function notFitting({ route }: Call, at: number, total: number): BunhouseError {
  const message = `${route.address}: a part of the arguments does not fit: it begins at ${at} of ${total}`
  return new BunhouseError("PROTOCOL_ERROR", message, { ran: "no" })
}
