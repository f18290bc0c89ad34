import type { LoadRequest } from "../protocol/env-control.ts"
import { InstanceThread } from "./instances/instance-thread.ts"
import type { InstanceThreads } from "./instances/instance-threads.ts"
import { loadFunction, loadTooSlow, versionOf } from "./load-function.ts"
import { type OwnFunction, ThreadFunction } from "./own-call.ts"
import type { LoadedFunction } from "./run-call.ts"
import type { ThreadPool } from "./threads/pool.ts"

/** What was loaded in this process, by the number under which calls name it: on its loop, or on threads. */
export class Functions {
  readonly #threads: ThreadPool
  readonly #instances: InstanceThreads
  readonly #loaded = new Map<number, LoadedFunction | ThreadFunction | InstanceThread>()

  constructor(threads: ThreadPool, instances: InstanceThreads) {
    this.#threads = threads
    this.#instances = instances
  }

  get(index: number): LoadedFunction | ThreadFunction | InstanceThread | undefined {
    return this.#loaded.get(index)
  }

  /** Those that calls may reach without the daemon: an instance with a thread of its own has its queue there. */
  ownAt(index: number): OwnFunction | undefined {
    const fn = this.#loaded.get(index)
    return fn instanceof InstanceThread ? undefined : fn
  }

  /** Resolves with what the daemon is told of what was loaded. */
  async load({ index, run, timeoutMs, ...source }: LoadRequest): Promise<unknown> {
    const { as, name } = source
    if (run === "loop" || as === "module") {
      const loaded = await within(timeoutMs, name, loadFunction(source, index))
      this.#loaded.set(index, loaded)
      return loaded.answer
    }
    if (as === "instance") {
      this.#loaded.set(index, await this.#instances.start(index, source, timeoutMs))
    } else {
      await this.#threads.load(index, source, timeoutMs)
      this.#loaded.set(index, new ThreadFunction(name, versionOf(source.path)))
    }
    return undefined
  }

  unload(index: number): void {
    this.#loaded.delete(index)
    this.#instances.end(index)
  }
}

async function within<T>(timeoutMs: number, name: string, load: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(loadTooSlow(name, timeoutMs)), timeoutMs)
  try {
    return await Promise.race([load, late])
  } finally {
    clearTimeout(timer)
  }
}
