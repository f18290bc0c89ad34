import type { EnvSpec } from "../../protocol/env-spec.ts"
import type { BunhouseError } from "../../protocol/errors.ts"
import type { Build } from "./builds.ts"
import type { EnvParts } from "./parts.ts"

/** The preparations of one env that are under way: for a start, for a change, seldom for both. */
export class Preparations {
  /** What is being done, such as "installing 3 packages". */
  activity: string | undefined
  readonly #env: string
  readonly #parts: EnvParts
  readonly #running = new Map<AbortController, Promise<Build>>()

  constructor(env: string, parts: EnvParts) {
    this.#env = env
    this.#parts = parts
  }

  /** Makes what a process of `spec` needs on the disk. */
  async run(spec: EnvSpec): Promise<Build> {
    const controller = new AbortController()
    const report = (activity: string) => {
      this.activity = activity
      this.#parts.log("env activity", { env: this.#env, activity })
    }
    const { signal } = controller
    const running = this.#parts.prepare({ env: this.#env, spec, report, signal })
    this.#running.set(controller, running)
    try {
      return await running
    } finally {
      this.activity = undefined
      this.#running.delete(controller)
    }
  }

  /** Ends them; they reject with `why`. Settles when nothing of them is left, and never rejects. */
  async abort(why: BunhouseError): Promise<void> {
    const ended = Promise.allSettled(this.#running.values())
    for (const controller of this.#running.keys()) controller.abort(why)
    await ended
  }
}
