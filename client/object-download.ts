import { BunhouseError } from "../protocol/errors.ts"
import { parseJson } from "../protocol/fields.ts"
import { OBJECT_HEADER, paths } from "../protocol/http.ts"
import { type ObjectInfo, readObjectId, readObjectInfo } from "../protocol/object.ts"
import type { Control } from "./control.ts"
import { ProgressPatience } from "./progress-patience.ts"

/**
 * One object on its way from the daemon. What arrived is handed out as it comes, and the end only when all of it has the
 * hash that the object's id names. A daemon that says nothing for CONTROL_TIMEOUT_MS is waited for no longer.
 */
export class Download {
  readonly info: ObjectInfo
  readonly #reader: Reader
  readonly #patience: ProgressPatience
  readonly #hash = new Bun.CryptoHasher("sha256")
  #bytes = 0

  private constructor(info: ObjectInfo, reader: Reader, patience: ProgressPatience) {
    this.info = info
    this.#reader = reader
    this.#patience = patience
  }

  /** Throws NOT_FOUND. */
  static async open(control: Control, key: string): Promise<Download> {
    const patience = new ProgressPatience()
    const { signal } = patience
    const response = await patience.waitFor(control.send("GET", paths.object(key), { signal }))
    const header = response.headers.get(OBJECT_HEADER) ?? ""
    const info = readObjectInfo(parseJson(`the header ${OBJECT_HEADER}`, header))
    return new Download(info, (response.body ?? new Blob().stream()).getReader(), patience)
  }

  /** All of it. */
  async bytes(): Promise<Uint8Array> {
    const whole = new Uint8Array(this.info.bytes)
    for (let at = 0; ;) {
      const chunk = await this.#next()
      if (chunk === undefined) return whole
      whole.set(chunk, at)
      at += chunk.length
    }
  }

  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const chunk = await this.#next()
          if (chunk === undefined) controller.close()
          else controller.enqueue(chunk)
        },
        cancel: () => this.cancel(),
      },
      { highWaterMark: 0 },
    )
  }

  cancel(): void {
    this.#patience.cancel()
  }

  /** Undefined at the end. */
  async #next(): Promise<Uint8Array | undefined> {
    const { object, bytes } = this.info
    const result = await this.#patience.waitFor(this.#reader.read()).catch((cause: unknown) => {
      const message = `the connection to the daemon was lost while ${object} was read`
      throw new BunhouseError("UNAVAILABLE", message, { cause })
    })
    const chunk = result.done ? undefined : result.value
    this.#bytes += chunk?.length ?? 0
    if (chunk !== undefined && this.#bytes <= bytes) {
      this.#hash.update(chunk)
      return chunk
    }
    this.cancel()
    if (this.#bytes === bytes && this.#hash.digest("hex") === readObjectId(object)?.sha256) {
      return undefined
    }
    throw new BunhouseError("PROTOCOL_ERROR", `what the daemon sent is not ${object}`)
  }
}

type Reader = Pick<ReadableStreamDefaultReader<Uint8Array>, "read">
