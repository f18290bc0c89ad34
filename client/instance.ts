import { BunhouseError } from "../protocol/errors.ts"
import type { FunctionInfo } from "../protocol/function-spec.ts"
import { paths } from "../protocol/http.ts"
import { type Member, readMembers } from "../protocol/members.ts"
import type { Link } from "./link.ts"
import {
  addMethods,
  type AsyncMethods,
  type MethodName,
  type Methods,
  type SyncMethods,
} from "./methods.ts"
import type { AnyFunction } from "./code/kind.ts"
import type { CallOptions } from "./remote.ts"
import { RemoteCall } from "./remote-call.ts"

/**
 * An object that lives somewhere else. Its async methods are awaited and its sync methods block, as they would locally;
 * `async` and `sync` choose the other way of waiting. Where the class has a method called `get`, `set`, `with`,
 * `release` or `info`, that name is the class's.
 *
 * Calls end as calls of functions do; with STATE_LOST once the object is gone: its env process or thread ended, or it
 * was released. No other object ever answers in its place.
 */
export type RemoteInstance<I extends object> = Methods<I> &
  Omit<InstanceHandle<I>, MethodName<I>> &
  AsyncDisposable

/** What an instance has beside the methods of its class. */
export interface InstanceHandle<I extends object> {
  /** The methods, all awaited. */
  readonly async: AsyncMethods<I>
  /** The methods, all blocking. */
  readonly sync: SyncMethods<I>
  /** Reads a field, or what a getter gives. */
  get<K extends FieldName<I>>(field: K): Promise<I[K]>
  /** Writes a field, or calls its setter. */
  set<K extends WritableName<I>>(field: K, value: I[K]): Promise<void>
  /** The same instance with other options for its calls. */
  with(options: CallOptions): RemoteInstance<I>
  /**
   * Ends the instance, for everybody: what it holds is let go by its own `[Symbol.asyncDispose]` or `[Symbol.dispose]`,
   * if it has one. Resolves also when it is gone already. `await using` does this at the end of its scope for an
   * instance without a name, and nothing for a named one.
   *
   * @throws what the disposer throws.
   */
  release(): Promise<void>
  readonly info: InstanceInfo
}

/** Which instance it is. */
export interface InstanceInfo {
  readonly env: string
  /** Name of the class in the env. */
  readonly class: string
  /** By which it can be found; undefined where nobody else can. */
  readonly name: string | undefined
  /** Unique among all instances of the class that ever were. */
  readonly id: string
  /** Version of the class when the instance was made. */
  readonly version: string
}

/** The names of what can be read with `get`. */
export type FieldName<T> = {
  [K in keyof T]-?: K extends string ? (T[K] extends AnyFunction ? never : K) : never
}[keyof T]

/** The names of what can be written with `set`. */
type WritableName<T> = {
  [K in FieldName<T>]: Same<Pick<T, K>, Writable<Pick<T, K>>> extends true ? K : never
}[FieldName<T>]

type Writable<T> = { -readonly [K in keyof T]: T[K] }
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- only so are readonly properties told apart
type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false

/** Makes the handle of an instance that the daemon has. */
export function makeInstance<I extends object>(parts: InstanceParts): RemoteInstance<I> {
  const { link, type, id, name, own, options } = parts
  const call = callOf(parts)
  const release = async () => {
    const end = callOf({ link, type, id, options: {} }, true).awaitable(["dispose"])
    await end.catch((error: unknown) => {
      if (!isStateLost(error)) throw error
    })
    await forget(link, type, id)
  }
  const handle = {
    get: (field: string) => call.awaitable([field, "get"]),
    set: (field: string, value: unknown) => call.awaitable([value, field, "set"]),
    with: (more: CallOptions) => makeInstance({ ...parts, options: { ...options, ...more } }),
    release,
    info: { env: type.env, class: type.name, name, id, version: type.version },
    async [Symbol.asyncDispose]() {
      if (name === undefined) await release()
    },
  }
  const methods = (type.members ?? []).filter(({ isStatic }) => !isStatic)
  addMethods(handle, [...methods, ...own], { link, info: infoOf(type, id), options })
  // The one place where the types of the outside meet the untyped inside.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return handle as unknown as RemoteInstance<I>
}

export interface InstanceParts {
  readonly link: Link
  /** The class as it was when the instance was made. */
  readonly type: FunctionInfo
  readonly id: string
  readonly name: string | undefined
  /** Methods that are fields of the object. */
  readonly own: readonly Member[]
  readonly options: CallOptions
}

/** Calls of the shell of an instance (envs/instances/shell.ts). `isEnding` is that of RemoteParts. */
export function callOf(
  { link, type, id, options }: Omit<InstanceParts, "own" | "name">,
  isEnding = false,
): RemoteCall {
  return new RemoteCall({ link, info: infoOf(type, id), local: undefined, options, isEnding })
}

function infoOf(type: FunctionInfo, id: string): FunctionInfo {
  return { ...type, name: addressOf(type, id) }
}

/** Tells the daemon that the instance is not needed any more. */
export async function forget(link: Link, type: FunctionInfo, id: string): Promise<void> {
  await link.control.request("DELETE", paths.instance(type.env, type.name, id))
  link.connection.forget(type.env, addressOf(type, id))
}

/** What a shell answers when its object is constructed or looked for. */
export function readOwnMembers(answer: unknown): Member[] {
  return readMembers(Array.isArray(answer) ? answer : [])
}

export function isStateLost(error: unknown): boolean {
  return error instanceof BunhouseError && error.code === "STATE_LOST"
}

function addressOf(type: FunctionInfo, id: string): string {
  return `${type.name}/${id}`
}
