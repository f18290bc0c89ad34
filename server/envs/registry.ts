import { type EnvSpec, readEnvSpec, sameEnvSpec } from "../../protocol/env-spec.ts"
import { asBunhouseError, BunhouseError } from "../../protocol/errors.ts"
import {
  exportInfos,
  type FunctionInfo,
  type FunctionSpec,
  type ModuleSpec,
  readFunctionInfo,
} from "../../protocol/function-spec.ts"
import type { Store } from "../../broker/store.ts"
import type { Dispatcher } from "../calls/dispatcher.ts"
import { FunctionRoute } from "../calls/route.ts"
import { Env } from "./env.ts"
import { KeyedMutex } from "../../protocol/keyed-mutex.ts"
import { Deployer, type DeployResult } from "./deployer.ts"
import { StoredCode } from "./stored-code.ts"
import { instanceOf, Instances } from "./instances.ts"
import type { EnvLife } from "./life.ts"
import { guard } from "./guard.ts"
import type { Loader } from "./loader.ts"
import type { EnvParts } from "./parts.ts"

/**
 * What the daemon knows: envs by name, functions by name, and how both change. The store holds the same, so that a
 * restart finds it again.
 *
 * Invariants:
 * R1. A function is switched to a new version only once that version is loaded; until then the old one serves.
 * R2. What is in memory after a change was written to the store before the caller heard of the change.
 * R3. Changes of one function follow each other; the last one asked for is the one that stays.
 * R5. The exports of a module are there before its own record, so that a module of a version has all of that version.
 * R4. A deploy that is under way when its env is removed leaves nothing behind, in memory or in the store.
 */
export class Registry {
  readonly instances: Instances
  readonly #envs = new Map<string, Env>()
  readonly #store: Store
  readonly #dispatcher: Dispatcher
  readonly #deployer: Deployer
  readonly #parts: EnvParts
  readonly #mutex = new KeyedMutex()
  readonly #code: StoredCode
  /** Specs that envs are about to have. */
  readonly #pending = new Set<EnvSpec>()
  #closed: BunhouseError | undefined

  constructor(options: {
    readonly store: Store
    readonly dispatcher: Dispatcher
    readonly loader: Loader
    readonly parts: EnvParts
    /** Default: CODE_KEPT_MS. */
    readonly codeKeptMs?: number | undefined
  }) {
    this.#store = options.store
    this.#dispatcher = options.dispatcher
    this.#parts = options.parts
    this.instances = new Instances(options.loader, options.dispatcher)
    this.#code = new StoredCode({
      store: options.store.code,
      log: (event, facts = {}) => options.parts.log(event, facts),
      keptMs: options.codeKeptMs,
      named: () => new Set([...this.#infos()].map(({ version }) => version)),
    })
    this.#deployer = new Deployer({ ...options, registry: this, code: this.#code })
  }

  get envs(): Iterable<Env> {
    return this.#envs.values()
  }

  /** Reads everything back. A record that cannot be read is reported and left out. */
  async restore(problem: (line: string) => void): Promise<void> {
    for (const [name, record] of await this.#store.envs.all()) {
      guard(problem, `env ${name}`, () => this.#add(name, readEnvSpec(name, record)))
    }
    for (const record of await this.#store.functions.all()) {
      guard(problem, "a function", () => {
        const info = readFunctionInfo(record)
        const env = this.#envs.get(info.env) ?? this.#add(info.env, readEnvSpec(info.env, {}))
        env.functions.set(info.name, new FunctionRoute(env, info))
      })
    }
    await this.#keepFiles()
  }

  /** Lets code go that no function has. Legal when all records could be read. */
  sweepCode(): void {
    this.#code.sweepLater()
  }

  env(name: string): Env {
    const env = this.#envs.get(name)
    if (env !== undefined) return env
    const known = [...this.#envs.keys()].slice(0, 10).join(", ")
    const hint = known === "" ? "no env exists yet" : `there are: ${known}`
    throw new BunhouseError("NOT_FOUND", `there is no env ${JSON.stringify(name)} (${hint})`, {
      env: name,
    })
  }

  /** Not any more when it was removed meanwhile. */
  has(env: Env): boolean {
    return this.#envs.get(env.name) === env
  }

  find(env: string, name: string): FunctionRoute | undefined {
    return this.#envs.get(env)?.functions.get(name)
  }

  /** Throws NOT_FOUND; STATE_LOST for an instance (`<class>/<id>`) that is no more. */
  route(env: string, name: string): FunctionRoute {
    if (name.includes("/")) return instanceOf(this.#envs.get(env), env, name)
    const route = this.env(env).functions.get(name)
    if (route !== undefined) return route
    const message = `env ${JSON.stringify(env)} has no function ${JSON.stringify(name)}: send it with fn(…).to(…)`
    throw new BunhouseError("NOT_FOUND", message, { env, function: name })
  }

  /** The env, made with the defaults if need be. */
  async ensureEnv(name: string): Promise<Env> {
    if (!this.#envs.has(name)) await this.putEnv(name, readEnvSpec(name, {}))
    return this.env(name)
  }

  /**
   * Makes an env, or changes its spec. Says whether anything changed. One that cannot be had is refused, and changes
   * nothing: a new env is forgotten again.
   */
  async putEnv(name: string, spec: EnvSpec): Promise<{ readonly changed: boolean }> {
    return this.#inTurn(`env ${name}`, async () => {
      const known = this.#envs.get(name)
      if (known !== undefined && sameEnvSpec(known.spec, spec)) return { changed: false }
      // A new one is shown while it is prepared.
      const env = known ?? this.#add(name, spec)
      this.#pending.add(spec)
      try {
        await env.change(spec, () => this.#store.envs.put(name, spec))
      } catch (error) {
        if (known === undefined) {
          this.#envs.delete(name)
          await env.close(asBunhouseError(error, `making env ${JSON.stringify(name)}`), 0)
        }
        throw error
      } finally {
        this.#pending.delete(spec)
      }
      await this.#keepFiles()
      return { changed: true }
    })
  }

  /** Replaces a worn process by a fresh one, as a change of the spec would. */
  async replaceWorn(env: Env, worn: EnvLife): Promise<void> {
    await this.#inTurn(`env ${env.name}`, () => env.change(env.spec, env.health.mayReplace, worn))
  }

  /** Keeps a shipped folder for the spec that will name it. */
  async putFiles(version: string, pack: Uint8Array): Promise<void> {
    await this.#store.files.put(version, pack)
  }

  /** Ends the env's process, refuses its calls and forgets its functions. */
  async removeEnv(name: string): Promise<void> {
    const message = `env ${JSON.stringify(name)} was removed`
    const removed = new BunhouseError("NOT_FOUND", message, { env: name })
    // Nobody waits for an installation that is not wanted any more.
    await this.#envs.get(name)?.abortPreparing(removed)
    await this.#inTurn(`env ${name}`, async () => {
      const env = this.env(name)
      const known = new Set(env.functions.keys())
      await this.#forget(name, known)
      await this.#store.envs.delete(name)
      this.#envs.delete(name)
      for (const route of env.functions.values()) {
        route.isRemoved = true
        this.#code.left(route.info.version)
      }
      await env.close(removed, 0)
      // What a deploy added while the store was busy (R4).
      await this.#forget(name, new Set(env.functions.keys()).difference(known))
      await this.#parts.tidy(name, () => new Set())
      await this.#keepFiles()
    })
  }

  /** `timeoutMs` is for the top-level code of the function. */
  async deploy(spec: FunctionSpec, timeoutMs: number): Promise<DeployResult> {
    return this.#inTurn(`${spec.env}/${spec.name}`, () => this.#deployer.deploy(spec, timeoutMs))
  }

  async removeFunction(envName: string, name: string): Promise<void> {
    await this.#inTurn(`${envName}/${name}`, async () => {
      const route = this.route(envName, name)
      await this.#store.functions.delete(envName, name)
      this.env(envName).functions.delete(name)
      route.isRemoved = true
      route.index = undefined
      const message = `${route.address} was deleted`
      this.#dispatcher.removed(route, new BunhouseError("NOT_FOUND", message, { env: envName }))
      await this.instances.releaseAll(this.env(envName), name)
      await this.removeExports(exportInfos(route.info))
      this.#code.left(route.info.version)
    })
  }

  /** Removes those that are there. */
  async removeExports(exports: readonly FunctionInfo[]): Promise<void> {
    for (const { env, name } of exports) {
      if (this.find(env, name) !== undefined) await this.removeFunction(env, name)
    }
  }

  /** Loads a module, and makes its functions and classes callable as `<module>.<export>`. */
  async deployModule(spec: ModuleSpec, timeoutMs: number): Promise<DeployResult> {
    return this.#inTurn(`${spec.env}/${spec.name}`, () =>
      this.#deployer.deployModule(spec, timeoutMs),
    )
  }

  /** Ends all envs. From now on nothing is changed and no env starts; what waits for that is refused with `error`. */
  async close(reason: BunhouseError, graceMs: number): Promise<void> {
    this.#closed = reason
    this.#code.stop()
    this.instances.stop()
    await Promise.all([...this.#envs.values()].map((env) => env.close(reason, graceMs)))
  }

  /** Forgets shipped folders that no env names any more. Who is about to name one ships it again. */
  async #keepFiles(): Promise<void> {
    const specs = [...this.#pending, ...[...this.#envs.values()].map(({ spec }) => spec)]
    const named = new Set(specs.flatMap(({ files }) => files?.version ?? []))
    await this.#store.files.keep(named).catch((error: unknown) => {
      // They take up room until the next time; what was asked for is done.
      this.#parts.log("shipped files not swept", { reason: String(error) })
    })
  }

  *#infos(): Generator<FunctionInfo> {
    for (const { functions } of this.#envs.values())
      for (const { info } of functions.values()) yield info
  }

  async #forget(env: string, functions: Iterable<string>): Promise<void> {
    await Promise.all([...functions].map((name) => this.#store.functions.delete(env, name)))
  }

  #add(name: string, spec: EnvSpec): Env {
    const env = new Env(name, spec, this.#parts)
    this.#envs.set(name, env)
    return env
  }

  /** R3. */
  #inTurn<T>(subject: string, change: () => Promise<T>): Promise<T> {
    return this.#mutex.run(subject, async () => {
      if (this.#closed !== undefined) throw this.#closed
      return change()
    })
  }
}
