import type { ObjectWriter } from "../../broker/object-writer.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import type { StoredContent } from "../../protocol/stored-content.ts"

/** One large payload on its way into the store. Whoever began it finishes it, or gives it up. */
export class PayloadWriter {
  readonly #total: number
  readonly #writer: ObjectWriter
  readonly #ended: PayloadEnd
  #isOver = false

  constructor(total: number, writer: ObjectWriter, ended: PayloadEnd) {
    this.#total = total
    this.#writer = writer
    this.#ended = ended
  }

  get bytes(): number {
    return this.#writer.bytes
  }

  /** One at a time. Resolves when the store has the bytes. Rejects with PROTOCOL_ERROR, UNAVAILABLE. */
  async append(bytes: Uint8Array): Promise<void> {
    const end = this.bytes + bytes.length
    if (end > this.#total) throw notAsSaid(end, this.#total)
    await this.#writer.append(bytes)
  }

  /** The store has all of it. Throws PROTOCOL_ERROR where some is missing. */
  finish(): StoredContent {
    if (this.bytes !== this.#total) throw notAsSaid(this.bytes, this.#total)
    const { nuid, bytes, chunks, digest } = this.#writer.end()
    this.#end("kept")
    return { nuid, bytes, chunks, digest }
  }

  /** Nobody wants it; nothing may be on its way now. Legal after either end. */
  giveUp(): void {
    this.#end("given up")
  }

  #end(how: "kept" | "given up"): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#ended(this.#writer.nuid, how)
  }
}

/** Called once. */
type PayloadEnd = (nuid: string, how: "kept" | "given up") => void

function notAsSaid(bytes: number, total: number): BunhouseError {
  return new BunhouseError("PROTOCOL_ERROR", `a payload of ${total} bytes has ${bytes}`)
}
