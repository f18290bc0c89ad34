import { BunhouseError } from "../protocol/errors.ts"
import type { FunctionInfo } from "../protocol/function-spec.ts"
import { type Credit, windowOf } from "../protocol/streams/credit.ts"
import { iterate } from "./blocking/iterate.ts"
import { checkMayBlock } from "./blocking/may-block.ts"
import { type CallSettings, settingsOf } from "./call-settings.ts"
import { encodeCall } from "./later.ts"
import type { Link } from "./link.ts"
import { nested } from "./nesting.ts"
import type { CallOptions } from "./remote.ts"
import { streamCall } from "./stream.ts"
import { cannotStream, checkOnce, hasStreams, StreamedArguments } from "./streamed-arguments.ts"

/** The two ways to call a generator function. Both encode the arguments at once, and call when the first item is asked for. */
export class GeneratorCalls {
  readonly #link: Link
  readonly #info: FunctionInfo
  readonly #settings: CallSettings
  readonly #window: Credit

  constructor(parts: {
    readonly link: Link
    readonly info: FunctionInfo
    readonly options: CallOptions
  }) {
    const { link, info, options } = parts
    this.#link = link
    this.#info = info
    this.#settings = settingsOf({ link, info, options })
    this.#window = windowOf(options.stream?.window)
    checkOnce(this.#settings.names, options)
  }

  awaitable(args: readonly unknown[]): AsyncGenerator {
    return streamCall({
      ...this.#settings,
      connection: this.#link.connection,
      args: new StreamedArguments(args, this.#info, this.#link),
      window: this.#window,
    })
  }

  asDeclared(args: readonly unknown[]): Generator {
    return this.blockingValue(args)
  }

  map(): never {
    const { env, function: fn } = this.#settings.names
    const message = `${env}/${fn} is a generator function, and map takes functions that give one result`
    throw new BunhouseError("INVALID_ARGUMENT", message, this.#settings.names)
  }

  blockingValue(args: readonly unknown[]): Generator {
    checkMayBlock(this.#settings.names, this.#settings.signal)
    if (hasStreams(args)) throw cannotStream(this.#settings.names)
    const { payload, flags } = encodeCall(args, this.#link, this.#settings.names)
    return iterate(this.#settings.names, () => {
      const call = { timeoutMs: this.#settings.timeoutMs, signal: undefined }
      const { timeoutMs, extra, around } = nested(call, undefined, "blocking")
      this.#link.connection.flush()
      const { names } = this.#settings
      return this.#link.blocking.stream(
        { names, payload, flags, extra, around, timeoutMs, wantsLogs: false },
        this.#window,
      )
    })
  }
}
