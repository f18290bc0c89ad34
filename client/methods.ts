import { BunhouseError } from "../protocol/errors.ts"
import { isGeneratorKind, type Member } from "../protocol/members.ts"
import type { FunctionInfo } from "../protocol/function-spec.ts"
import { GeneratorCalls } from "./generator-calls.ts"
import type { Link } from "./link.ts"
import type { AnyFunction } from "./code/kind.ts"
import type { Awaitable, Blocking, CallOptions } from "./remote.ts"
import { RemoteCall } from "./remote-call.ts"

/** The names of what can be called of an object. */
export type MethodName<T> = {
  [K in keyof T]-?: K extends string ? (T[K] extends AnyFunction ? K : never) : never
}[keyof T]

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
export function addMethods(handle: object, members: readonly Member[], parts: MethodParts): void {
  const async = {}
  const sync = {}
  const call = new RemoteCall({ ...parts, local: undefined })
  for (const { name, kind } of members) {
    const calls = isGeneratorKind(kind) ? () => generatorsOf(parts, name) : () => call
    // What is done, and by which method, stands behind the caller's own arguments (envs/instances/shell.ts).
    const awaitable = (...args: unknown[]) => calls().awaitable([...args, name, "call"])
    const declared = (...args: unknown[]) => calls().asDeclared([...args, name, "call"], name)
    const blocking = (...args: unknown[]) => calls().blockingValue([...args, name, "call"])
    define(handle, name, kind.startsWith("async") ? awaitable : declared)
    define(async, name, awaitable)
    define(sync, name, blocking)
  }
  define(handle, "async", async)
  define(handle, "sync", sync)
}

export interface MethodParts {
  readonly link: Link
  /** Of the class, by the name that calls go to. */
  readonly info: FunctionInfo
  readonly options: CallOptions
}

/** A thread runs one call of an instance at a time: whoever called it again while it iterates would wait for ever. */
function generatorsOf(parts: MethodParts, method: string): GeneratorCalls {
  const { env, name, run } = parts.info
  if (run === "loop") return new GeneratorCalls(parts)
  const message =
    `${env}/${name}: ${method} is a generator, and classes that live on a thread cannot have theirs called from afar: ` +
    `make all methods async, or send the class with cls(C, { run: "loop" })`
  throw new BunhouseError("INVALID_ARGUMENT", message, { env })
}

function define(object: object, name: string, value: unknown): void {
  if (typeof value === "function") Object.defineProperty(value, "name", { value: name })
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true })
}
