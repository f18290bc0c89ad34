import { BunhouseError } from "../protocol/errors.ts"
import { isGeneratorKind, type Member } from "../protocol/members.ts"
import type { AnyFunction, Awaitable, Blocking } from "./remote.ts"
import type { RemoteCall } from "./remote-call.ts"

/** The names of what can be called of an object: generators cannot yet. */
export type MethodName<T> = {
  [K in keyof T]-?: K extends string
    ? T[K] extends AnyFunction
      ? Callable<T[K], K>
      : never
    : never
}[keyof T]

// oxlint-disable-next-line typescript/no-explicit-any -- any generator, whatever it yields, returns and takes
type AnyGenerator = Generator<any> | AsyncGenerator<any>
type Callable<F extends AnyFunction, K> = [ReturnType<F>] extends [never]
  ? K
  : unknown extends ReturnType<F>
    ? K
    : ReturnType<F> extends AnyGenerator
      ? never
      : K

/** The methods of an object, called as they are declared: an async one is awaited, a sync one blocks. */
export type Methods<T> = { readonly [K in MethodName<T>]: T[K] }
/** The same, all awaited. */
export type AsyncMethods<T> = {
  readonly [K in MethodName<T>]: T[K] extends AnyFunction ? Awaitable<T[K]> : never
}
/** The same, all blocking. */
export type SyncMethods<T> = {
  readonly [K in MethodName<T>]: T[K] extends AnyFunction ? Blocking<T[K]> : never
}

/** Gives `handle` the methods, and the same ones below `async` and `sync`. They hide what the handle had before. */
export function addMethods(handle: object, members: readonly Member[], call: RemoteCall): void {
  const async = {}
  const sync = {}
  for (const { name, kind } of members) {
    // What is done, and by which method, stands behind the caller's own arguments (envs/instances/shell.ts).
    const awaitable = (...args: unknown[]) => call.awaitable([...args, name, "call"])
    const declared = (...args: unknown[]) => call.asDeclared([...args, name, "call"], name)
    const blocking = (...args: unknown[]) => call.blockingValue([...args, name, "call"])
    const refuse = () => {
      const message = `${name} is a generator, and generators of instances cannot be called from afar`
      throw new BunhouseError("INVALID_ARGUMENT", message)
    }
    const isGenerator = isGeneratorKind(kind)
    define(handle, name, isGenerator ? refuse : kind === "async" ? awaitable : declared)
    define(async, name, isGenerator ? refuse : awaitable)
    define(sync, name, isGenerator ? refuse : blocking)
  }
  define(handle, "async", async)
  define(handle, "sync", sync)
}

function define(object: object, name: string, value: unknown): void {
  if (typeof value === "function") Object.defineProperty(value, "name", { value: name })
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true })
}
