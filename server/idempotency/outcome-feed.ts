import type { BunhouseError } from "../../protocol/errors.ts"
import type { StoredContent } from "../../protocol/stored-content.ts"
import { writePart, type Part } from "../../protocol/parts/part.ts"
import { storedPayload } from "../calls/open-payload.ts"
import { PartFeed } from "../calls/part-feed.ts"
import type { StoredPayloads } from "../payloads/stored-payloads.ts"
import type { Call } from "../calls/call.ts"
import { frameBy } from "./frames.ts"

/** A result that the store has, on its way to one who asked for it, as he grants. */
export class OutcomeFeed {
  readonly #call: Call
  readonly #feed: PartFeed
  readonly #total: number

  /** `call` is his; `ended` is called once, behind the last part or where no more will come. */
  constructor(
    call: Call,
    payloads: StoredPayloads,
    content: StoredContent,
    ended: (error?: BunhouseError) => void,
  ) {
    this.#call = call
    const name = `the result of ${call.route.address}`
    const chunks = payloads.read(name, content)
    this.#feed = new PartFeed(storedPayload(name, content.bytes, chunks, "yes"), {
      part: (part) => this.#send(part),
      sent: () => ended(),
      failed: ended,
    })
    this.#total = content.bytes
  }

  /** Says how much there is, so that somebody grants. */
  announce(): void {
    this.#send({ at: 0, total: this.#total, bytes: NOTHING })
  }

  grant(bytes: number): void {
    this.#feed.grant(bytes)
  }

  /** Nobody wants more of it. */
  stop(): void {
    this.#feed.stop()
  }

  #send(part: Part): void {
    const { caller, callerId } = this.#call
    const frame = frameBy((writer) => writePart(writer, callerId, part))
    caller?.flow(callerId, frame, this.#call)
  }
}

const NOTHING = new Uint8Array(0)
