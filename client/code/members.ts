import types from "node:util/types"
import { BunhouseError } from "../../protocol/errors.ts"
import type { Place } from "../../protocol/function-spec.ts"
import { MEMBERS_MAX } from "../../protocol/limits.ts"
import { isMemberName, type Member, type MemberKind } from "../../protocol/members.ts"
import { isClass } from "./kind.ts"

/**
 * The methods of a class, read from the class itself: those of its base classes are among them. Private ones, accessors
 * and methods under a symbol are not: they cannot be called by name.
 */

/** Any class that can be constructed. */
export type AnyClass = new (...args: never[]) => object

/** Throws FUNCTION_NOT_SENDABLE for a method that would get in the way of a handle. */
export function membersOf(type: AnyClass): Member[] {
  const members = [...methodsOf(type.prototype, false), ...methodsOf(type, true)]
  if (members.length > MEMBERS_MAX) {
    throw refusal(type, `it has ${members.length} methods, over the limit of ${MEMBERS_MAX}`)
  }
  for (const { name } of members) {
    if (!isMemberName(name))
      throw refusal(type, `its method ${name} ${WHY_NOT.get(name) ?? RESERVED}`)
  }
  return members
}

/** Methods that the object has as fields of its own: `save = async () => {}`. */
export function ownMethodsOf(object: object): Member[] {
  const methods = named(object, false).filter(({ name }) => isMemberName(name))
  return methods.slice(0, MEMBERS_MAX)
}

/** One of them. */
export function ownMethodOf(object: object, name: string): Member | undefined {
  const property = Object.getOwnPropertyDescriptor(object, name)
  return property === undefined ? undefined : methodIn(name, property, false)
}

/** Where instances live unless their sender says otherwise: on the loop when every method is async. */
export function placeOfMembers(members: readonly Member[]): Place {
  return members.every(({ kind }) => kind.startsWith("async")) ? "loop" : "thread"
}

/** As `isClass`. That a class is abstract shows in its types only. */
export function isConcreteClass(value: unknown): value is AnyClass {
  return isClass(value)
}

/** The nearest one counts, as it does when a method is called. */
function methodsOf(from: object, isStatic: boolean): Member[] {
  const found = new Map<string, Member>()
  let holder: object | null = from
  while (holder !== null && holder !== Object.prototype && holder !== Function.prototype) {
    for (const member of named(holder, isStatic)) {
      if (!found.has(member.name)) found.set(member.name, member)
    }
    holder = Object.getPrototypeOf(holder)
  }
  return [...found.values()]
}

function named(holder: object, isStatic: boolean): Member[] {
  return Object.entries(Object.getOwnPropertyDescriptors(holder)).flatMap(([name, property]) => {
    return methodIn(name, property, isStatic) ?? []
  })
}

function methodIn(
  name: string,
  property: PropertyDescriptor,
  isStatic: boolean,
): Member | undefined {
  const value: unknown = property.value
  if (typeof value !== "function" || name === "constructor" || mustBeNew(value)) return undefined
  return { name, kind: memberKind(value), isStatic }
}

/** A class, native ones included: only their `prototype` cannot be replaced. */
function mustBeNew(value: object): boolean {
  return Object.getOwnPropertyDescriptor(value, "prototype")?.writable === false
}

function memberKind(method: unknown): MemberKind {
  // An async generator is an async function to the engine as well.
  const isAsync = types.isAsyncFunction(method)
  if (types.isGeneratorFunction(method)) return isAsync ? "asyncGenerator" : "syncGenerator"
  return isAsync ? "async" : "sync"
}

function refusal({ name }: AnyClass, reason: string): BunhouseError {
  return new BunhouseError("FUNCTION_NOT_SENDABLE", `the class ${name} cannot be sent: ${reason}`)
}

const RESERVED = "has a name that a handle of an instance cannot have; rename it"
const WHY_NOT: ReadonlyMap<string, string> = new Map([
  ["then", "would make every instance look like a promise; rename it"],
  ["async", "hides what a handle of an instance has itself (`.async.method()`); rename it"],
  ["sync", "hides what a handle of an instance has itself (`.sync.method()`); rename it"],
])
