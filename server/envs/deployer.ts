import type { Store } from "../../broker/store.ts"
import {
  exportInfos,
  type FunctionInfo,
  type FunctionSpec,
  moduleVersion,
  type ModuleSpec,
  readExports,
  versionOf,
} from "../../protocol/function-spec.ts"
import { checkName } from "../../protocol/names.ts"
import type { Dispatcher } from "../calls/dispatcher.ts"
import { FunctionRoute } from "../calls/route.ts"
import type { Env } from "./env.ts"
import type { EnvLife } from "./life.ts"
import { loadIntoServing } from "./load-into-serving.ts"
import type { Loader } from "./loader.ts"
import type { Registry } from "./registry.ts"
import type { StoredCode } from "./stored-code.ts"

/** Brings functions and modules into envs, one version after the other. The invariants cited here are registry.ts's. */
export class Deployer {
  readonly #parts: DeployerParts

  constructor(parts: DeployerParts) {
    this.#parts = parts
  }

  async deploy(spec: FunctionSpec, timeoutMs: number): Promise<DeployResult> {
    const { registry, code: stored } = this.#parts
    const { code, ...facts } = spec
    const info: FunctionInfo = { ...facts, version: versionOf(spec) }
    const { env: envName, name } = info
    const old = registry.find(envName, name)?.info
    if (old?.version === info.version) return { info: old, changed: false }
    const env = await registry.ensureEnv(envName)
    using _held = await stored.hold(info.version, code)
    const { process, loaded: index } = await loadIntoServing(env, (serving) =>
      this.#parts.loader.load(env, serving, info, timeoutMs),
    )
    await this.#switch(env, process, info, index)
    if (old !== undefined) stored.left(old.version)
    return { info, changed: true }
  }

  async deployModule(spec: ModuleSpec, timeoutMs: number): Promise<DeployResult> {
    const { registry, code: stored } = this.#parts
    const { code, ...names } = spec
    const version = moduleVersion(spec)
    const old = registry.find(spec.env, spec.name)?.info
    if (old?.version === version) return { info: old, changed: false }
    const env = await registry.ensureEnv(spec.env)
    using _held = await stored.hold(version, code)
    const bare = { ...names, kind: "module", run: "loop", version } as const
    const { process, loaded } = await loadIntoServing(env, (serving) =>
      this.#parts.loader.loadAs("module", env, serving, bare, timeoutMs),
    )
    const { index, answer } = loaded
    const info = { ...bare, exports: readExports(Array.isArray(answer) ? answer : []) }
    const exports = exportInfos(info)
    for (const { name } of exports) checkName("function", name)
    // The code has shown that it can be loaded; each export is, by its first call.
    for (const exported of exports) await this.#switch(env, process, exported, undefined)
    await this.#switch(env, process, info, index) // R5
    const kept = new Set(exports.map(({ name }) => name))
    const before = old === undefined ? [] : exportInfos(old)
    await registry.removeExports(before.filter(({ name }) => !kept.has(name)))
    if (old !== undefined) stored.left(old.version)
    return { info, changed: true }
  }

  /** R1: the switch. Without an index, or where another process serves meanwhile, the first call loads the version. */
  async #switch(
    env: Env,
    process: EnvLife,
    info: FunctionInfo,
    index: number | undefined,
  ): Promise<void> {
    const { name } = info
    const { registry, dispatcher, store } = this.#parts
    await store.functions.put(env.name, name, info)
    if (env.refusal !== undefined && !registry.has(env)) {
      await store.functions.delete(env.name, name)
      throw env.refusal // R4
    }
    const route = env.functions.get(name) ?? new FunctionRoute(env, info)
    route.info = info
    route.index = undefined
    env.functions.set(name, route)
    if (index !== undefined && env.link === process) dispatcher.loaded(route, index)
  }
}

export interface DeployerParts {
  readonly registry: Pick<Registry, "find" | "has" | "ensureEnv" | "removeExports">
  readonly store: Store
  readonly code: StoredCode
  readonly dispatcher: Dispatcher
  readonly loader: Loader
}

export interface DeployResult {
  readonly info: FunctionInfo
  /** False when the daemon had this very version already. */
  readonly changed: boolean
}
