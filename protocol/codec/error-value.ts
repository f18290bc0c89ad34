import { BunhouseError, fromErrorRecord, toErrorRecord } from "../errors.ts"
import { Special, SpecialKind } from "./wire.ts"

/**
 * Errors as values. Built-in classes arrive by class, so `instanceof` holds; others arrive as Error under their own
 * name. Message, stack, cause, the errors of an AggregateError and own enumerable properties arrive too.
 *
 * Class names are looked up in a fixed table: a name from the wire never reaches a constructor by other ways.
 */

type ErrorBuilder = (message: string, errors: unknown[]) => Error

const BUILDERS = new Map<string, ErrorBuilder>([
  ["Error", (message) => new Error(message)],
  ["TypeError", (message) => new TypeError(message)],
  ["RangeError", (message) => new RangeError(message)],
  ["SyntaxError", (message) => new SyntaxError(message)],
  ["ReferenceError", (message) => new ReferenceError(message)],
  ["EvalError", (message) => new EvalError(message)],
  ["URIError", (message) => new URIError(message)],
  ["AggregateError", (message, errors) => new AggregateError(errors, message)],
])
const DOM_EXCEPTION = "DOMException"
const BUNHOUSE_ERROR = "BunhouseError"
const STANDARD_KEYS = new Set(["message", "stack", "cause", "errors", "name", "remote"])

/** What travels of an error. `at` lowers a part under its key. */
export function errorContent(error: Error, at: (key: string, part: unknown) => unknown): Special {
  const className = builtInClassOf(error)
  const parts: unknown[] = []
  if (className === BUNHOUSE_ERROR) {
    parts.push("record", at("record", toErrorRecord(error as BunhouseError)))
  } else {
    for (const key of Object.keys(error)) {
      if (!STANDARD_KEYS.has(key)) parts.push(key, at(key, (error as never)[key]))
    }
  }
  if (Object.hasOwn(error, "cause")) parts.push("cause", at("cause", error.cause))
  if (error instanceof AggregateError) parts.push("errors", at("errors", error.errors))
  return new Special(
    SpecialKind.error,
    className,
    text(error.name, className),
    text(error.message, ""),
    text(error.stack, ""),
    parts,
  )
}

/**
 * The error for a class name, still without cause and own properties (they may refer back to it). It is made without
 * a local trace: Bun prints the trace of the engine if there is one, and the remote `stack` only if there is none.
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
  const error = builder === undefined ? new Error(message) : builder(message, [])
  if (error.name !== shownName) define(error, "name", shownName)
  return error
}

/** Adds what came along with the error. Properties are defined, never assigned: a setter must not run. */
export function completeError(error: Error, stack: unknown, parts: readonly unknown[]): Error {
  let target = error
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const key = text(parts[i], "")
    const part = parts[i + 1]
    if (key === "record" && error instanceof BunhouseError) target = fromErrorRecord(part)
    else if (key === "errors" && Array.isArray(part)) define(target, key, part)
    else define(target, key, part, key !== "cause")
  }
  define(target, "stack", text(stack, ""))
  return target
}

function builtInClassOf(error: Error): string {
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

function define(target: object, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true })
}

function text(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise
}
