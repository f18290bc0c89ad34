import { BunhouseError } from "../protocol/errors.ts"
import { Fields } from "../protocol/fields.ts"
import { type FunctionInfo, readFunctionInfo } from "../protocol/function-spec.ts"
import { paths } from "../protocol/http.ts"
import { checkName } from "../protocol/names.ts"
import type { AnyClass } from "./code/members.ts"
import {
  callOf,
  type FieldName,
  forget,
  isStateLost,
  makeInstance,
  readOwnMembers,
  type RemoteInstance,
} from "./instance.ts"
import type { Link } from "./link.ts"
import {
  addMethods,
  type AsyncMethods,
  type MethodName,
  type Methods,
  type SyncMethods,
} from "./methods.ts"
import type { CallOptions } from "./remote.ts"
import { RemoteCall } from "./remote-call.ts"

/** A class whose instances live somewhere else. */
export interface RemoteClass<C extends AnyClass> {
  /**
   * Makes a new instance, which nobody else can find. It is released by `release()`, by `await using`, and some time
   * after the last process that used it has gone.
   *
   * @throws what the constructor throws; OVERLOADED when the env has too many instances.
   */
  create(...args: ConstructorParameters<C>): Promise<RemoteInstance<InstanceType<C>>>
  /**
   * The instance of that name, constructed with `args` where there is none. Whoever asks gets the same one, from any
   * process, until it is released or lost; then the next one who asks makes a fresh one.
   *
   * @throws as `create`; INVALID_ARGUMENT for a bad name.
   */
  getOrCreate(
    name: string,
    ...args: ConstructorParameters<C>
  ): Promise<RemoteInstance<InstanceType<C>>>
  /**
   * The instance of that name.
   *
   * @throws {BunhouseError} NOT_FOUND.
   */
  get(name: string): Promise<RemoteInstance<InstanceType<C>>>
  /**
   * The static methods, and the static fields by `get`. They run where instances live: on the env's loop, or else on
   * any of its threads, each of which has a copy of the class with static fields of its own.
   */
  readonly static: RemoteStatics<C>
  /** The same class with other options for calls of its instances, constructors included. */
  with(options: CallOptions): RemoteClass<C>
  /** The class itself, here. Undefined when only its name is known (`here.getClass`, an export of a `RemoteModule`). */
  readonly local: C | undefined
  /** What the daemon said about the class when it was sent or looked up. */
  readonly info: FunctionInfo
}

export type RemoteStatics<C extends AnyClass> = Methods<C> & Omit<StaticsHandle<C>, MethodName<C>>

/** What stands beside static methods. */
export interface StaticsHandle<C extends AnyClass> {
  /** The static methods, all awaited. */
  readonly async: AsyncMethods<C>
  /** The static methods, all blocking. */
  readonly sync: SyncMethods<C>
  /** Reads a static field, or what a static getter gives. */
  get<K extends Exclude<FieldName<C>, "prototype">>(field: K): Promise<C[K]>
}

/** Makes the handle for a class that the daemon has. */
export function makeRemoteClass<C extends AnyClass>(parts: RemoteClassParts<C>): RemoteClass<C> {
  const { info, local, options } = parts
  checkIsClass(info)
  const instances = new InstanceMaker<InstanceType<C>>(parts)
  return {
    create: (...args) => instances.create(args),
    getOrCreate: (name, ...args) => instances.getOrCreate(name, args),
    get: (name) => instances.get(name),
    static: makeStatics<C>(parts),
    with: (more) => makeRemoteClass({ ...parts, options: { ...options, ...more } }),
    local,
    info,
  }
}

export interface RemoteClassParts<C extends AnyClass> {
  readonly link: Link
  readonly info: FunctionInfo
  readonly local: C | undefined
  readonly options: CallOptions
}

class InstanceMaker<I extends object> {
  readonly #link: Link
  readonly #info: FunctionInfo
  readonly #options: CallOptions

  constructor({ link, info, options }: RemoteClassParts<AnyClass>) {
    this.#link = link
    this.#info = info
    this.#options = options
  }

  async create(args: readonly unknown[]): Promise<RemoteInstance<I>> {
    const { env, name } = this.#info
    const found = await this.#request("POST", paths.instances(env, name))
    try {
      return await this.#construct(found, undefined, [...args, "new"])
    } catch (error) {
      await this.#forget(found)
      throw error
    }
  }

  async getOrCreate(name: string, args: readonly unknown[]): Promise<RemoteInstance<I>> {
    for (let attempt = 1; ; attempt++) {
      const found = await this.#request("PUT", this.#path(name))
      try {
        return await this.#construct(found, name, [...args, "ensure"])
      } catch (error) {
        // Lost or released since the daemon last heard of it: what is asked for is a living one.
        const isGone = isStateLost(error)
        if (isGone || (await this.#discard(found))) await this.#forget(found)
        if (!isGone || attempt === ATTEMPTS_MAX) throw error
      }
    }
  }

  async get(name: string): Promise<RemoteInstance<I>> {
    return this.#construct(await this.#request("GET", this.#path(name)), name, ["check"])
  }

  async #construct(
    { id, type }: Found,
    name: string | undefined,
    request: readonly unknown[],
  ): Promise<RemoteInstance<I>> {
    const parts = { link: this.#link, type, id, name, options: this.#options }
    const own = readOwnMembers(await callOf(parts).awaitable(request))
    return makeInstance<I>({ ...parts, own })
  }

  /** After a constructor that threw: true when nobody else's has succeeded meanwhile, and none will any more. */
  async #discard({ id, type }: Found): Promise<boolean> {
    const call = callOf({ link: this.#link, type, id, options: {} }, true)
    return (await call.awaitable(["discard"]).catch(() => false)) === true
  }

  /** Whoever waits for this wants to hear of an error that came before. */
  async #forget({ id, type }: Found): Promise<void> {
    await forget(this.#link, type, id).catch(() => {})
  }

  async #request(method: "GET" | "POST" | "PUT", path: string): Promise<Found> {
    const fields = new Fields("an instance", await this.#link.control.request(method, path))
    return { id: fields.text("id"), type: readFunctionInfo(fields.unknown("info")) }
  }

  #path(name: string): string {
    checkName("instance", name)
    return paths.instance(this.#info.env, this.#info.name, name)
  }
}

/** An instance that the daemon has; `type` is its class as it was when the instance was made. */
interface Found {
  readonly id: string
  readonly type: FunctionInfo
}

function makeStatics<C extends AnyClass>({
  link,
  info,
  options,
}: RemoteClassParts<C>): RemoteStatics<C> {
  const call = new RemoteCall({ link, info, local: undefined, options })
  const handle = { get: (field: string) => call.awaitable([field, "get"]) }
  const methods = (info.members ?? []).filter(({ isStatic }) => isStatic)
  addMethods(handle, methods, { link, info, options })
  // The one place where the types of the outside meet the untyped inside.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return handle as unknown as RemoteStatics<C>
}

function checkIsClass({ env, name, kind }: FunctionInfo): void {
  if (kind === "class") return
  const what = kind === "module" ? "a module: use getModule" : "a function: use get"
  throw new BunhouseError("INVALID_ARGUMENT", `${env}/${name} is no class, but ${what}`, { env })
}

/** How often a named instance that turns out to be gone is made anew before that is told. */
const ATTEMPTS_MAX = 3
