import types from "node:util/types"
import { BunhouseError } from "../../protocol/errors.ts"
import type { FunctionKind } from "../../protocol/function-spec.ts"
import { isMethodCalledAsync, readWords } from "./words.ts"

/**
 * What a function value is, read from the value alone and without a parser.
 *
 * Invariants:
 * K1. The kind is what the text says. The engine (`types.isAsyncFunction`) asks the prototype, which can be changed.
 * K2. Nothing of the value is called and no property of it is read through a getter.
 */

/** Any function. It can be called by who knows its type: `Remote<F>` keeps what it takes and returns. */
export type AnyFunction = (...args: never[]) => unknown

/** Any class; its parameters and its instances do not matter here. */
export type AnyClass = abstract new (...args: never[]) => unknown

/** True for a class that is written in JavaScript, and for nothing else. */
export function isClass(value: unknown): value is AnyClass {
  if (typeof value !== "function" || types.isProxy(value)) return false
  const text: string = Reflect.apply(toText, value, [])
  // A method may be called `class`, but methods have no prototype.
  return /^class(?![\p{ID_Continue}$\u200c\u200d])/u.test(text) && Object.hasOwn(value, "prototype")
}

/** Async or sync, generator or not. Throws FUNCTION_NOT_SENDABLE for what cannot be sent at all. */
export function kindOf(f: unknown): FunctionKind {
  checkSendable(f)
  const { isAsync, isGenerator } = readWords(textOf(f))
  if (isGenerator) return isAsync ? "asyncGenerator" : "syncGenerator"
  return isAsync ? "async" : "sync"
}

/** Throws FUNCTION_NOT_SENDABLE unless `f` is a function whose own code can be read. */
export function checkSendable(f: unknown): asserts f is AnyFunction {
  const reason = whyNotSendable(f)
  if (reason !== undefined) throw refusal(f, reason)
}

/** A refusal in the one form that all of them have: what was to be sent, and why it cannot be. */
export function refusal(f: unknown, reason: string, cause?: unknown): BunhouseError {
  const message = `${describe(f)} cannot be sent: ${reason}`
  return new BunhouseError("FUNCTION_NOT_SENDABLE", message, cause === undefined ? {} : { cause })
}

/** `the function resize`, for messages. */
export function describe(f: unknown): string {
  if (typeof f !== "function") return f === null ? "null" : `a value of type ${typeof f}`
  const name = ownName(f)
  return name === "" ? "a function without a name" : `the function ${shown(name)}`
}

/** The `name` of a function where it is plain data (K2), else "". */
export function ownName(f: object): string {
  // A Proxy could answer with code of its own.
  if (types.isProxy(f)) return ""
  const name: unknown = Object.getOwnPropertyDescriptor(f, "name")?.value
  return typeof name === "string" ? name : ""
}

/** The text of a function, whatever it or its prototype chain call `toString`. */
export function textOf(f: AnyFunction | AnyClass): string {
  const text = Reflect.apply(toText, f, [])
  // Of `async async(x) { … }` and `async *async(x) { … }`, methods, Bun forgets what stands before the name.
  if (!isMethodCalledAsync(text)) return text
  if (types.isGeneratorFunction(f)) return `async *${text}`
  return types.isAsyncFunction(f) ? `async ${text}` : text
}

// Taken at load: a program may replace the method later.
// oxlint-disable-next-line typescript/unbound-method
const toText = Function.prototype.toString

function whyNotSendable(f: unknown): string | undefined {
  if (typeof f !== "function") return "expected a function"
  if (types.isProxy(f)) return "it is a Proxy, whose code cannot be read; send the function itself"
  const text: string = Reflect.apply(toText, f, [])
  if (isNative(text)) return whyNotNative(ownName(f))
  if (isClass(f)) {
    return "it is a class; send it with cls() instead of fn()"
  }
  return undefined
}

// `[native code]` is no valid body, so no function written in JavaScript can end like this.
function isNative(text: string): boolean {
  return /\{\s*\[native code\]\s*\}$/.test(text)
}

function whyNotNative(name: string): string {
  if (!name.startsWith("bound ")) {
    return "it is native code, which has no source; wrap it in an arrow function: (...args) => theFunction(...args)"
  }
  return "it is bound to a `this` or to arguments, which its source does not show; wrap it in an arrow function that takes them as arguments"
}

/** Names are free text: a line break in one must not forge a line of a message. */
function shown(name: string): string {
  const text = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? name : JSON.stringify(name)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
