import { encodeArgs } from "../protocol/codec/index.ts"
import { checkTimeoutMs } from "../protocol/deadlines.ts"
import { BunhouseError } from "../protocol/errors.ts"
import type { FunctionInfo } from "../protocol/function-spec.ts"
import { type Credit, windowOf } from "../protocol/streams/credit.ts"
import { iterate } from "./blocking/iterate.ts"
import { checkMayBlock } from "./blocking/may-block.ts"
import type { Link } from "./link.ts"
import { logSink, type OnLog } from "./logs.ts"
import { nested } from "./nesting.ts"
import type { Names } from "./outcome.ts"
import type { CallOptions } from "./remote.ts"
import { streamCall } from "./stream.ts"
import { cannotStream, checkOnce, hasStreams, StreamedArguments } from "./streamed-arguments.ts"

/** The two ways to call a generator function. Both encode the arguments at once, and call when the first item is asked for. */
export class GeneratorCalls {
  readonly #link: Link
  readonly #info: FunctionInfo
  readonly #names: Names
  readonly #timeoutMs: number
  readonly #signal: AbortSignal | undefined
  readonly #onLog: OnLog | undefined
  readonly #window: Credit

  constructor(parts: {
    readonly link: Link
    readonly info: FunctionInfo
    readonly options: CallOptions
  }) {
    const { link, info, options } = parts
    this.#link = link
    this.#info = info
    this.#names = { env: info.env, function: info.name }
    this.#timeoutMs = checkTimeoutMs(
      options.timeoutMs === undefined ? info.timeoutMs : options.timeoutMs,
    )
    this.#signal = options.signal
    this.#onLog = logSink(options.onLog ?? link.onLog)
    this.#window = windowOf(options.stream?.window)
    checkOnce(this.#names, options)
  }

  awaitable(args: readonly unknown[]): AsyncGenerator {
    return streamCall({
      connection: this.#link.connection,
      names: this.#names,
      args: new StreamedArguments(args, this.#info),
      timeoutMs: this.#timeoutMs,
      signal: this.#signal,
      onLog: this.#onLog,
      window: this.#window,
    })
  }

  asDeclared(args: readonly unknown[]): Generator {
    return this.blockingValue(args)
  }

  map(): never {
    const { env, function: fn } = this.#names
    const message = `${env}/${fn} is a generator function, and map takes functions that give one result`
    throw new BunhouseError("INVALID_ARGUMENT", message, this.#names)
  }

  blockingValue(args: readonly unknown[]): Generator {
    checkMayBlock(this.#names, this.#signal)
    if (hasStreams(args)) throw cannotStream(this.#names)
    const payload = encodeArgs(args)
    return iterate(this.#names, () => {
      const call = { timeoutMs: this.#timeoutMs, signal: undefined }
      const { timeoutMs, extra } = nested(call, undefined, "blocking")
      return this.#link.blocking.stream(
        { names: this.#names, payload, extra, timeoutMs, wantsLogs: false },
        this.#window,
      )
    })
  }
}
