import { BunhouseError, stateLost } from "../../protocol/errors.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import type { FunctionInfo } from "../../protocol/function-spec.ts"
import {
  ENV_INSTANCES_MAX,
  INSTANCE_DISPOSE_MS,
  INSTANCE_ORPHAN_MS,
} from "../../protocol/limits.ts"
import type { Dispatcher } from "../calls/dispatcher.ts"
import { InstanceRoute } from "../calls/instance-route.ts"
import type { Env } from "./env.ts"
import { loadIntoServing } from "./load-into-serving.ts"
import type { Loader } from "./loader.ts"

/**
 * Instances of classes: how they come and how they go. An instance is a route; that its object is constructed, called
 * and disposed of are ordinary calls on that route. The store knows nothing of instances: they end with their process.
 *
 * Invariants:
 * S1. A name stands for at most one living instance of a class, however many ask for it at once.
 * S2. An instance without a name is released once nobody has been connected to it for INSTANCE_ORPHAN_MS.
 */
export class Instances {
  readonly #loader: Loader
  readonly #dispatcher: Dispatcher
  readonly #orphanMs: number
  /** Those that are being made: S1 for named ones. */
  readonly #making = new Map<string, Promise<InstanceRoute>>()
  readonly #envs = new Set<Env>()
  #sweeper: Timer | undefined

  constructor(loader: Loader, dispatcher: Dispatcher, orphanMs = INSTANCE_ORPHAN_MS) {
    this.#loader = loader
    this.#dispatcher = dispatcher
    this.#orphanMs = orphanMs
  }

  /** A new instance without a name, not yet constructed. */
  make(env: Env, type: FunctionInfo, timeoutMs: number): Promise<InstanceRoute> {
    return this.#make(env, type, undefined, timeoutMs)
  }

  /** The instance of that name; where there is none, a new one that is not yet constructed. */
  async ensure(
    env: Env,
    type: FunctionInfo,
    name: string,
    timeoutMs: number,
  ): Promise<InstanceRoute> {
    const known = this.named(env, type.name, name)
    if (known !== undefined) return known
    const key = `${env.name}/${type.name}/${name}`
    const making = this.#making.get(key) ?? this.#make(env, type, name, timeoutMs)
    this.#making.set(key, making)
    try {
      return await making
    } finally {
      if (this.#making.get(key) === making) this.#making.delete(key)
    }
  }

  named(env: Env, type: string, name: string): InstanceRoute | undefined {
    return this.#of(env, type).find((instance) => instance.name === name)
  }

  /**
   * Refuses what waits and what comes, lets the object dispose of itself unless it is busy for too long, and forgets it.
   */
  async release(env: Env, instance: InstanceRoute): Promise<void> {
    const { index, info } = instance
    if (index === undefined || instance.refusal !== undefined) return
    const error = stateLost(env.name, info.name, RELEASED)
    this.#dispatcher.removed(instance, error)
    const disposed = this.#dispose(instance)
    instance.refusal = error
    await disposed
    this.#dispatcher.lost(instance, RELEASED)
    env.process?.unload(index)
  }

  /** The class was deleted. */
  async releaseAll(env: Env, type: string): Promise<void> {
    await Promise.all(this.#of(env, type).map((instance) => this.release(env, instance)))
  }

  stop(): void {
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }

  #of(env: Env, type: string): InstanceRoute[] {
    return [...env.instances.values()].filter((instance) => instance.type.name === type)
  }

  async #make(
    env: Env,
    type: FunctionInfo,
    name: string | undefined,
    timeoutMs: number,
  ): Promise<InstanceRoute> {
    if (env.instances.size >= ENV_INSTANCES_MAX) throw noRoom(env, type)
    const { process, loaded } = await loadIntoServing(env, (serving) =>
      this.#loader.loadAs("instance", env, serving, type, timeoutMs),
    )
    const { index } = loaded
    if (env.instances.size >= ENV_INSTANCES_MAX) {
      // Others were made meanwhile.
      process.unload(index)
      throw noRoom(env, type)
    }
    if (env.process !== process) {
      const message = `${env.name}/${type.name}: the env process ended while an instance was made`
      throw new BunhouseError("WORKER_LOST", message, { ran: "no", env: env.name })
    }
    const instance = new InstanceRoute(env, type, name, index)
    env.instances.set(instance.info.name, instance)
    this.#envs.add(env)
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#orphanMs / SWEEPS).unref()
    return instance
  }

  /** S2. */
  #sweep(): void {
    for (const env of this.#envs) {
      if (env.instances.size === 0) this.#envs.delete(env)
      for (const instance of env.instances.values()) {
        const isOrphan = instance.name === undefined && instance.abandonedMs >= this.#orphanMs
        if (isOrphan && env.link !== undefined) void this.release(env, instance)
      }
    }
    if (this.#envs.size === 0) this.stop()
  }

  /** What the disposer returns or throws matters to nobody here: who wants to know calls it first. */
  #dispose(instance: InstanceRoute): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const ended = () => resolve(undefined)
    const writer = new FrameWriter()
    writer.write(FrameType.call, FrameFlag.json, 0, 0, INSTANCE_DISPOSE_MS, 0, DISPOSE)
    const frame = new FrameReader()
    frame.open(writer.take())
    frame.next()
    this.#dispatcher.submit(
      { deliver: ended, fail: ended, log: () => {}, flow: () => {} },
      frame,
      instance,
    )
    return promise
  }
}

/**
 * The living instance that calls of `name` reach; `name` is `<class>/<id>`. Throws STATE_LOST where it lives no more, and
 * NOT_FOUND where there is no such class to have had it.
 */
export function instanceOf(env: Env | undefined, envName: string, name: string): InstanceRoute {
  const instance = env?.instances.get(name)
  if (instance !== undefined) return instance
  const className = name.slice(0, name.indexOf("/"))
  if (env !== undefined && env.functions.get(className)?.info.kind !== "class") {
    const message = `env ${JSON.stringify(envName)} has no class ${JSON.stringify(className)}: send it with cls(…).to(…)`
    throw new BunhouseError("NOT_FOUND", message, { env: envName, function: name })
  }
  const reason = "its env process ended or was replaced, its thread ended, or it was released"
  throw stateLost(envName, name, reason)
}

function noRoom(env: Env, type: FunctionInfo): BunhouseError {
  const message = `${env.name}/${type.name}: the env has ${ENV_INSTANCES_MAX} instances, and no more are made: release some`
  return new BunhouseError("OVERLOADED", message, { env: env.name, function: type.name })
}

const RELEASED = "it was released"
const DISPOSE = Buffer.from(`{"args":["dispose"]}`)
/** How often it is looked for orphans within the time after which one is released. */
const SWEEPS = 10
