import { type EnvSpec, type EnvSpecInput, readEnvSpec } from "../protocol/env-spec.ts"
import { readPackages } from "../protocol/env-packages.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { Fields } from "../protocol/fields.ts"
import { paths } from "../protocol/http.ts"
import { ENV_CHANGE_TIMEOUT_MS } from "../protocol/limits.ts"
import { checkName } from "../protocol/names.ts"
import type { EnvStatus } from "../protocol/status.ts"
import type { Shipment } from "./files.ts"
import type { Link } from "./link.ts"
import { notice } from "./notices.ts"
import { withProgress } from "./progress.ts"
import { readStatus } from "./read-status.ts"

/** A named environment of a daemon: a process of its own for the functions that are sent to it. */
export class Env {
  readonly name: string
  readonly #link: Link
  readonly #spec: EnvSpec | undefined
  /** To be shipped before the first use. */
  readonly #folder: string | undefined
  #described: Promise<unknown> | undefined

  /** Made by `here.env(name, spec?)`. Throws INVALID_ARGUMENT for a bad name or spec. */
  constructor(link: Link, name: string, spec?: EnvSpecInput) {
    checkName("env", name)
    this.name = name
    this.#link = link
    if (spec === undefined) return
    const { files, ...rest } = spec
    this.#folder = checkFolder(name, files)
    // What is in the folder is not known before it is packed.
    const packed = { version: "0".repeat(64), bytes: 0, count: 0 }
    this.#spec = readEnvSpec(name, files === undefined ? spec : { ...rest, files: packed })
  }

  /**
   * Names of the packages that its spec brings along: they do not travel with code. The daemon tells them of an env that is
   * known by name only. For the library's own use.
   */
  async packages(): Promise<readonly string[]> {
    if (this.#spec !== undefined) return Object.keys(this.#spec.packages)
    try {
      const spec = await this.#link.control.request("GET", paths.envSpec(this.name))
      return Object.keys(
        readPackages(`the env ${this.name}`, new Fields("a spec", spec).unknown("packages")),
      )
    } catch (error) {
      // It is yet to be made.
      if (error instanceof BunhouseError && error.code === "NOT_FOUND") return []
      throw error
    }
  }

  /**
   * Starts the env if need be; resolves when it takes calls, which may take minutes while packages are installed.
   *
   * @throws {BunhouseError} ENV_FAILED with the reason when its packages, its setup or its process fail.
   */
  async ready(): Promise<void> {
    await this.describe()
    await this.#patiently("POST", `${paths.env(this.name)}/ready`)
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
      this.#described ??= this.#describe(this.#spec)
      await this.#described.catch((error: unknown) => {
        this.#described = undefined
        throw error
      })
    }
    return this.#link
  }

  async #describe(spec: EnvSpec): Promise<void> {
    if (this.#folder === undefined) {
      await this.#patiently("PUT", paths.env(this.name), spec)
      return
    }
    // Few need it, and everybody waits for what the library loads.
    const { packFolder } = await import("./files.ts")
    const shipment = await packFolder(this.#folder)
    const full: EnvSpec = { ...spec, files: shipment.info }
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#patiently("PUT", paths.env(this.name), full)
        return
      } catch (error) {
        // The daemon has not got them, or swept them away a moment ago.
        const isMissing = error instanceof BunhouseError && error.code === "NOT_FOUND"
        if (!isMissing || attempt > SHIP_ATTEMPTS_MAX) throw error
        await this.#ship(shipment)
      }
    }
  }

  async #ship({ folder, info, pack }: Shipment): Promise<void> {
    const files = info.count === 1 ? "1 file" : `${info.count} files`
    notice(`shipping ${files} (${showBytes(info.bytes)}) of ${folder} to env ${this.name}`)
    await this.#patiently("PUT", paths.files(info.version), pack)
  }

  #patiently(method: "PUT" | "POST", path: string, body?: object): Promise<unknown> {
    const request = this.#link.control.request(method, path, body, ENV_CHANGE_TIMEOUT_MS)
    return withProgress(this.#link, this.name, request)
  }
}

const SHIP_ATTEMPTS_MAX = 3

function checkFolder(env: string, files: unknown): string | undefined {
  if (files === undefined || (typeof files === "string" && files !== "")) return files
  const message = `the spec of env ${JSON.stringify(env)}: expected files to be the path of a folder, got ${Bun.inspect(files, { depth: 0 })}`
  throw new BunhouseError("INVALID_ARGUMENT", message)
}

function showBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`
  const mib = bytes / 1024 / 1024
  return mib < 1 ? `${(bytes / 1024).toFixed(1)} KiB` : `${mib.toFixed(1)} MiB`
}
