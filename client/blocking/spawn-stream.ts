import { now } from "../../protocol/deadlines.ts"
import { asBunhouseError } from "../../protocol/errors.ts"
import { Fields, parseJson } from "../../protocol/fields.ts"
import { FrameFlag, FrameReader, FrameType } from "../../protocol/frame.ts"
import { callIdOf, readHello } from "../../protocol/hello.ts"
import { paths } from "../../protocol/http.ts"
import { ENV_PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { ItemJoiner } from "../../protocol/streams/item-joiner.ts"
import { type Names, type Outcome, readOutcome } from "../outcome.ts"
import type { BlockingCall, BlockingStream, Chunk } from "./blocking-caller.ts"
import { type Caller, exchange, failure } from "./exchange.ts"

/**
 * A stream that is fetched chunk by chunk, each by a program of its own. Between two chunks the daemon keeps it, and takes
 * in as much as the window allows.
 */
export class SpawnStream implements BlockingStream {
  readonly #caller: () => Caller
  readonly #names: Names
  readonly #timeoutMs: number
  /** The call; undefined once it was made. */
  #batch: Uint8Array | undefined
  #dueAt = 0
  #bootId = ""
  readonly #joiner = new ItemJoiner(ENV_PAYLOAD_BYTES_MAX)
  /** Under which the daemon keeps the stream, while it does. */
  #key: string | undefined

  constructor(caller: () => Caller, { names, timeoutMs }: BlockingCall, batch: Uint8Array) {
    this.#caller = caller
    this.#names = names
    this.#batch = batch
    this.#timeoutMs = timeoutMs
  }

  next(): Chunk {
    try {
      return this.#read(this.#fetch())
    } catch (error) {
      this.#key = undefined
      const { env, function: fn } = this.#names
      const thrown = asBunhouseError(error, `the blocking call of ${env}/${fn}`)
      return { items: [], end: { kind: "threw", thrown, wasPromise: false } }
    }
  }

  release(): void {
    const key = this.#key
    if (key === undefined) return
    this.#key = undefined
    try {
      exchange(this.#caller(), paths.streamRelease(key), this.#names, NOTHING, RELEASE_MS_MAX)
    } catch {
      // The daemon gives a stream up that nobody fetches from.
    }
  }

  #fetch(): Buffer {
    const caller = this.#caller()
    const batch = this.#batch
    if (batch !== undefined) {
      this.#batch = undefined
      this.#dueAt = this.#timeoutMs === 0 ? 0 : now() + this.#timeoutMs
      return exchange(caller, paths.frames, this.#names, batch, this.#timeoutMs)
    }
    const path = paths.streamNext(this.#key ?? "")
    const left = this.#dueAt === 0 ? 0 : Math.max(1, Math.ceil(this.#dueAt - now()))
    return exchange(caller, path, this.#names, NOTHING, left)
  }

  #read(answer: Buffer): Chunk {
    const frame = new FrameReader()
    const items: Uint8Array[] = []
    let end: Outcome | undefined
    try {
      frame.open(answer)
      while (frame.next()) {
        if (frame.type === FrameType.items) {
          const goesOn = (frame.flags & FrameFlag.goesOn) !== 0
          for (const whole of this.#joiner.add(frame.payload, goesOn)) items.push(whole)
        } else if (frame.type === FrameType.hello) this.#bootId = readHello(frame.payload).bootId
        else if (frame.type === FrameType.bind) this.#key = keyIn(frame.payload)
        else end = this.#outcome(frame)
      }
      if (end?.kind === "returned") this.#joiner.finish()
    } catch (error) {
      const { message } = asBunhouseError(error, "reading it")
      const reason = `the daemon's answer cannot be read: ${message}`
      throw failure(this.#names, "PROTOCOL_ERROR", "maybe", reason)
    }
    if (end !== undefined) this.#key = undefined
    else if (this.#key === undefined) {
      throw failure(this.#names, "PROTOCOL_ERROR", "maybe", "the daemon's answer has no end")
    }
    return { items, end }
  }

  #outcome(frame: FrameReader): Outcome {
    const { serial } = frame
    return readOutcome(frame, this.#names, () => callIdOf(this.#bootId, serial))
  }
}

function keyIn(payload: Uint8Array): string {
  const text = Buffer.from(payload).toString()
  return new Fields("the name of a stream", parseJson("the name of a stream", text)).text("stream")
}

const NOTHING = new Uint8Array(0)
const RELEASE_MS_MAX = 1_000
