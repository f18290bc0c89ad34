import { BunhouseError, fromErrorRecord, toErrorRecord } from "../errors.ts"
import { lowerText } from "./scalar.ts"
import { Special, SpecialKind } from "./wire.ts"

/**
 * Errors as values. Built-in classes arrive by class, so `instanceof` holds; others arrive as Error under their own
 * name. Message, stack, cause, the errors of an AggregateError and own enumerable properties arrive too.
 *
 * Class names are looked up in a fixed table: a name from the wire never reaches a constructor by other ways.
 */

type ErrorBuilder = (message: string) => Error

const DOM_EXCEPTION = "DOMException"
const BUNHOUSE_ERROR = "BunhouseError"
const AGGREGATE_ERROR = "AggregateError"

const BUILDERS = new Map<string, ErrorBuilder>([
  ["Error", (message) => new Error(message)],
  ["TypeError", (message) => new TypeError(message)],
  ["RangeError", (message) => new RangeError(message)],
  ["SyntaxError", (message) => new SyntaxError(message)],
  ["ReferenceError", (message) => new ReferenceError(message)],
  ["EvalError", (message) => new EvalError(message)],
  ["URIError", (message) => new URIError(message)],
  [AGGREGATE_ERROR, (message) => new AggregateError([], message)],
])
/** What is no part like others: it travels in a place of its own, or is what a client adds to an error that arrived. */
const IN_PLACE = new Set(["name", "message", "stack", "remote"])

/** True for what everybody takes for an error: also for a DOMException, and for objects made from Error.prototype. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || Error.isError(value)
}

/** What travels of an error. `at` lowers the part that stands under a key. */
export function lowerError(
  error: Error,
  at: (key: string, read: () => unknown) => unknown,
): Special {
  const className = builtInClassOf(error)
  const name = at("name", () => text(error.name, className))
  const message = at("message", () => text(error.message, ""))
  const stack = at("stack", () => text(error.stack, ""))
  const parts: unknown[] = []
  const add = (key: string, read: () => unknown): void => {
    parts.push(lowerText(key), at(key, read))
  }
  if (error instanceof BunhouseError) {
    add("record", () => toErrorRecord(error))
  } else {
    for (const key of Object.keys(error)) {
      if (!IN_PLACE.has(key) && !isHidden(error, key)) add(key, () => (error as never)[key])
    }
  }
  if (Object.hasOwn(error, "cause")) add("cause", () => error.cause)
  if (error instanceof AggregateError) add("errors", () => error.errors)
  return new Special(SpecialKind.error, className, name, message, stack, parts)
}

/**
 * The error for a class name, still without cause and own properties (they may refer back to it). It is made without
 * a local trace, which would cost more than the error and leave `line` and `sourceURL` of the receiver on it.
 */
export function buildError(className: unknown, message: unknown, name: unknown): Error {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return build(text(className, "Error"), text(message, ""), name)
  } finally {
    Error.stackTraceLimit = limit
  }
}

function build(wanted: string, message: string, name: unknown): Error {
  const shownName = text(name, wanted)
  if (wanted === DOM_EXCEPTION) return new DOMException(message, shownName)
  if (wanted === BUNHOUSE_ERROR) return new BunhouseError("INTERNAL", message)
  const builder = BUILDERS.get(wanted)
  const error = builder === undefined ? new Error(message) : builder(message)
  if (error.name !== shownName) define(error, "name", shownName, false)
  return error
}

/** Adds what came along with the error. Properties are defined, never assigned: a setter must not run. */
export function completeError(error: Error, stack: unknown, parts: readonly unknown[]): Error {
  for (let i = 0; i < parts.length; i += 2) addPart(error, parts[i], parts[i + 1])
  define(error, "stack", text(stack, ""), false)
  return error
}

function addPart(error: Error, key: unknown, part: unknown): void {
  if (typeof key !== "string" || IN_PLACE.has(key)) throw new RangeError("a part of no error")
  if (error instanceof BunhouseError && key !== "cause") {
    if (key !== "record") throw new RangeError("a property that no BunhouseError has")
    // The error itself is filled, because others may refer to it already.
    Object.assign(error, fromErrorRecord(part))
  } else {
    define(error, key, part, !isHidden(error, key))
  }
}

/** Parts that the engine does not list. */
function isHidden(error: Error, key: string): boolean {
  return key === "cause" || (key === "errors" && error instanceof AggregateError)
}

export function builtInClassOf(error: Error): string {
  if (error instanceof BunhouseError) return BUNHOUSE_ERROR
  if (error instanceof DOMException) return DOM_EXCEPTION
  for (let prototype: unknown = Object.getPrototypeOf(error); prototype !== null;) {
    const constructor: unknown = (prototype as { constructor?: unknown }).constructor
    const name = typeof constructor === "function" ? constructor.name : ""
    if (BUILDERS.has(name)) return name
    prototype = Object.getPrototypeOf(prototype)
  }
  return "Error"
}

function define(error: Error, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true })
}

function text(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise
}
