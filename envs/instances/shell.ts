import { BunhouseError, type ErrorCode } from "../../protocol/errors.ts"
import { isMemberName, type Member } from "../../protocol/members.ts"
import { type AnyClass, membersOf, ownMethodOf, ownMethodsOf } from "../../client/code/members.ts"
import { Refusal } from "./refusal.ts"

/**
 * Shells: what a call of a class or an instance reaches. A shell is a function like any other, so that deadlines,
 * limits, errors and replies are those of any call. Its last argument says what to do, and what that is about stands
 * before it, so that the caller's own arguments keep their places: `[1, 2, "add", "call"]` calls `add(1, 2)`.
 *
 * Invariants:
 * O1. A shell holds at most one object in its life: what was released or never constructed answers nothing.
 * O2. Only methods and fields of the class itself are reached, never what all objects inherit.
 */
type Shell = (...args: unknown[]) => unknown

/**
 * The shell of one instance: `new` and `ensure` construct the object (`ensure` unless it is there), and answer which
 * methods it has as fields of its own; so does `check`. `call`, `get`, `set` and `dispose` use it. `discard` answers true
 * when no object is there, and none will be.
 */
export function instanceShell(name: string, type: AnyClass): Shell {
  const methods = new Map(membersOf(type).flatMap((m) => (m.isStatic ? [] : [[m.name, m]])))
  let object: object | undefined
  let isReleased = false

  const construct = (args: unknown[]): Member[] => {
    if (isReleased) throw refused("STATE_LOST", `${name} was released`)
    const made: object = Reflect.construct(type, args)
    object = made
    return ownMethodsOf(made)
  }
  const constructed = (): object => {
    if (object !== undefined) return object
    if (isReleased) throw refused("STATE_LOST", `${name} was released`)
    const message = `${name} is not there: it is yet to be constructed, or its constructor threw`
    throw refused("NOT_FOUND", message)
  }
  return (...args) => {
    const op = args.pop()
    switch (op) {
      case "new":
        if (object !== undefined)
          throw refused("INVALID_ARGUMENT", `${name} was constructed before`)
        return construct(args)
      case "ensure":
        return object === undefined ? construct(args) : ownMethodsOf(object)
      case "check":
        return ownMethodsOf(constructed())
      case "call":
        return callMethod(name, constructed(), methods, args)
      case "get":
        return readField(name, constructed(), args.pop())
      case "set":
        return writeField(name, constructed(), args)
      case "discard":
        isReleased ||= object === undefined
        return isReleased
      case "dispose": {
        const released = object
        object = undefined
        isReleased = true
        return released === undefined ? undefined : dispose(released)
      }
      default:
        throw unknownOperation(name, op, "an instance: use getClass(…).getOrCreate(…)")
    }
  }
}

/** The shell of a class: its static methods and fields. */
export function staticsShell(name: string, type: AnyClass): Shell {
  const methods = new Map(membersOf(type).flatMap((m) => (m.isStatic ? [[m.name, m]] : [])))
  return (...args) => {
    const op = args.pop()
    if (op === "call") return callMethod(name, type, methods, args)
    if (op === "get") return readField(name, type, args.pop())
    throw unknownOperation(name, op, "a class: use getClass(…)")
  }
}

function callMethod(
  name: string,
  object: object,
  methods: ReadonlyMap<string, Member>,
  args: unknown[],
): unknown {
  const method = args.pop()
  if (typeof method !== "string" || !isMemberName(method)) throw noSuch(name, "method", method)
  const known = methods.get(method) ?? ownMethodOf(object, method)
  if (known === undefined) throw noSuch(name, "method", method)
  const call: unknown = Reflect.get(object, method)
  if (typeof call !== "function") throw noSuch(name, "method", method)
  return Reflect.apply(call, object, args)
}

function readField(name: string, object: object, field: unknown): unknown {
  const value: unknown = Reflect.get(object, checkField(name, object, field))
  if (typeof value !== "function") return value
  const message = `${name}.${String(field)} is a method: call it`
  throw refused("INVALID_ARGUMENT", message)
}

function writeField(name: string, object: object, [value, field]: unknown[]): void {
  const key = checkField(name, object, field)
  if (typeof Reflect.get(object, key) === "function") {
    throw refused("INVALID_ARGUMENT", `${name}.${key} is a method, and cannot be set`)
  }
  if (Reflect.set(object, key, value)) return
  throw refused("INVALID_ARGUMENT", `${name}.${key} cannot be set: it is read-only`)
}

/** A field that is not there is undefined, as it is locally; what all objects inherit is no field. */
function checkField(name: string, object: object, field: unknown): string {
  if (typeof field !== "string" || !isMemberName(field)) throw noSuch(name, "field", field)
  const isInherited = field in Object.prototype && !Object.hasOwn(object, field)
  if (isInherited) throw noSuch(name, "field", field)
  return field
}

/** The object's own way to let go of what it holds, if it has one. */
function dispose(object: object): unknown {
  for (const key of [Symbol.asyncDispose, Symbol.dispose]) {
    const disposer: unknown = Reflect.get(object, key)
    if (typeof disposer === "function") return Reflect.apply(disposer, object, [])
  }
  return undefined
}

function noSuch(name: string, what: string, member: unknown): Refusal {
  const shown = typeof member === "string" ? JSON.stringify(member) : `of type ${typeof member}`
  return refused("NOT_FOUND", `${name} has no ${what} ${shown} that can be reached from afar`)
}

/** `is` says what it is, and how to use it. Calls that are made by hand, over HTTP, may get here. */
function unknownOperation(name: string, op: unknown, is: string): Refusal {
  const shown = typeof op === "string" ? JSON.stringify(op) : `a value of type ${typeof op}`
  const message = `${name} is ${is}, or end its arguments with a method's name and "call", or a field's and "get"; got ${shown}`
  return refused("INVALID_ARGUMENT", message)
}

function refused(code: ErrorCode, message: string): Refusal {
  return new Refusal(new BunhouseError(code, message, { ran: "no" }))
}
