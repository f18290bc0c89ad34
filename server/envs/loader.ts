import { mkdirSync } from "node:fs"
import { rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { BunhouseError, asBunhouseError, toErrorRecord } from "../../protocol/errors.ts"
import type { LoadedAs } from "../../protocol/env-control.ts"
import type { FunctionInfo } from "../../protocol/function-spec.ts"
import { DEPLOY_TIMEOUT_MS_DEFAULT } from "../../protocol/limits.ts"
import type { Dispatcher } from "../calls/dispatcher.ts"
import type { FunctionRoute } from "../calls/route.ts"
import type { Env } from "./env.ts"
import type { EnvLife } from "./life.ts"

/**
 * Brings code into env processes: from the store to a file in the process's folder, below which its packages are found,
 * and by a request into the process.
 *
 * Invariant:
 * A1. A file is named by the version of its code and appears whole: it is never written over, and two loads of one
 *     version do no harm.
 */
export class Loader {
  readonly #codeOf: (version: string) => Promise<string | undefined>
  readonly #dispatcher: Dispatcher
  readonly #loading = new Map<FunctionRoute, Loading>()

  constructor(options: {
    readonly codeOf: (version: string) => Promise<string | undefined>
    readonly dispatcher: Dispatcher
  }) {
    this.#codeOf = options.codeOf
    this.#dispatcher = options.dispatcher
  }

  /** Loads a version into a process and returns its index there. Rejects with what is wrong with the code. */
  async load(
    env: Env,
    process: EnvLife,
    info: FunctionInfo,
    timeoutMs = DEPLOY_TIMEOUT_MS_DEFAULT,
  ): Promise<number> {
    return (await this.loadAs(AS[info.kind], env, process, info, timeoutMs)).index
  }

  /** As `load`, for one of the things that can be made of a version. `answer` is what the process says of it. */
  async loadAs(
    as: LoadedAs["as"],
    env: Env,
    process: EnvLife,
    info: FunctionInfo,
    timeoutMs: number,
  ): Promise<{ readonly index: number; readonly answer: unknown }> {
    const path = await this.#file(info, process.folder)
    const index = env.nextIndex()
    const { name, run, export: exported = "default" } = info
    const request = { op: "load", index, name, run, path, timeoutMs, as, export: exported } as const
    const answer = await process.load(request).catch((error: unknown) => {
      throw aboutVersion(error, info)
    })
    return { index, answer }
  }

  /** Loads what waiting calls of `route` need, once at a time in one process. Never rejects: the dispatcher is told. */
  loadWaiting(env: Env, process: EnvLife, route: FunctionRoute): Promise<void> {
    const running = this.#loading.get(route)
    // One for a process that is gone may still be reading from the store, and will load nothing.
    if (running?.process === process) return running.done
    const done = this.#loadWaiting(env, process, route).finally(() => {
      if (this.#loading.get(route)?.done === done) this.#loading.delete(route)
    })
    this.#loading.set(route, { process, done })
    return done
  }

  async #loadWaiting(env: Env, process: EnvLife, route: FunctionRoute): Promise<void> {
    const { info } = route
    try {
      const index = await this.load(env, process, info)
      // A deploy may have switched the version meanwhile; the process may be another by now.
      if (env.link === process && route.info === info) this.#dispatcher.loaded(route, index)
    } catch (cause) {
      // Without the process there is nobody to load it; what waits is loaded by the next one, or when it is back.
      if (env.link !== process) return
      this.#dispatcher.loadFailed(route, asBunhouseError(cause, `loading ${route.address}`))
    }
  }

  async #file({ env, name, version }: FunctionInfo, home: string): Promise<string> {
    const folder = join(home, "code")
    const path = join(folder, `${version}.mjs`)
    if (await Bun.file(path).exists()) return path
    const code = await this.#codeOf(version)
    if (code === undefined) {
      const message = `the code of ${env}/${name} is not in the store any more: send it again`
      throw new BunhouseError("NOT_FOUND", message, { env, function: name })
    }
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const draft = `${path}.${crypto.randomUUID()}`
    // `Bun.write` has a `mode`, too, but does not heed it for text.
    await writeFile(draft, code, { mode: 0o600 })
    await rename(draft, path)
    return path
  }
}

/** What calls of a name reach. */
const AS = {
  async: "function",
  sync: "function",
  asyncGenerator: "function",
  syncGenerator: "function",
  class: "statics",
  module: "module",
} as const satisfies Record<FunctionInfo["kind"], LoadedAs["as"]>

interface Loading {
  readonly process: EnvLife
  readonly done: Promise<void>
}

/** The process that failed to load a version does not know it. */
function aboutVersion(thrown: unknown, { env, name, version }: FunctionInfo): BunhouseError {
  const error = asBunhouseError(thrown, `loading ${env}/${name}`)
  const { code, message, cause } = error
  const known = toErrorRecord(error)
  return new BunhouseError(code, message, { ...known, env, function: name, version, cause })
}
