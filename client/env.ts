import { type EnvSpec, type EnvSpecInput, readEnvSpec } from "../protocol/env-spec.ts"
import { paths } from "../protocol/http.ts"
import { checkName } from "../protocol/names.ts"
import type { EnvStatus } from "../protocol/status.ts"
import type { Link } from "./link.ts"
import { readStatus } from "./read-status.ts"

/** A named environment of a daemon: a process of its own for the functions that are sent to it. */
export class Env {
  readonly name: string
  readonly #link: Link
  readonly #spec: EnvSpec | undefined
  #described: Promise<unknown> | undefined

  /** Made by `here.env(name, spec?)`. Throws INVALID_ARGUMENT for a bad name or spec. */
  constructor(link: Link, name: string, spec?: EnvSpecInput) {
    checkName("env", name)
    this.name = name
    this.#link = link
    this.#spec = spec === undefined ? undefined : readEnvSpec(name, spec)
  }

  /** Starts the env if need be; resolves when it takes calls. */
  async ready(): Promise<void> {
    await this.describe()
    await this.#link.control.request("POST", `${paths.env(this.name)}/ready`)
  }

  /** Ends the env's process and starts another. Running calls are lost, waiting ones are refused. */
  async restart(): Promise<void> {
    await this.#link.control.request("POST", paths.envRestart(this.name))
  }

  /** Ends the env and forgets its functions. */
  async remove(): Promise<void> {
    await this.#link.control.request("DELETE", paths.env(this.name))
    this.#described = undefined
  }

  /** Undefined while the daemon knows nothing of the env. */
  async status(): Promise<EnvStatus | undefined> {
    const { envs } = await readStatus(this.#link.control)
    return envs.find((env) => env.name === this.name)
  }

  /** Tells the daemon the spec that was given to `here.env`, once. For the library's own use. */
  async describe(): Promise<Link> {
    if (this.#spec !== undefined) {
      this.#described ??= this.#link.control.request("PUT", paths.env(this.name), this.#spec)
      await this.#described.catch((error: unknown) => {
        this.#described = undefined
        throw error
      })
    }
    return this.#link
  }
}
