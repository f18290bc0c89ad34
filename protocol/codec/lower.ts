import { BunhouseError } from "../errors.ts"
import { BIGINT_HEX_DIGITS_MAX, VALUE_DEPTH_MAX } from "../limits.ts"
import { lowerBinary } from "./binary.ts"
import { describeClass, describeFunction, shorten, showPath } from "./describe.ts"
import { isError, lowerError } from "./error-value.ts"
import { isPlainScalar, isPlainText, lowerNumber, lowerText } from "./scalar.ts"
import { Special, SpecialKind } from "./wire.ts"

/**
 * Lowering: from any sendable JavaScript value to one that msgpack can say, or a refusal that names the path.
 *
 * Invariants:
 * L1. The value of the caller is never changed; containers are copied only where something inside had to change.
 * L2. What msgpackr would alter silently never reaches it: -0, functions, symbols, class instances, lone surrogates,
 *     holes, `__proto__` and `constructor` keys. (msgpackr reads plain containers again: a getter or a Proxy that
 *     answers differently the second time is sent as it answered then.)
 * L3. Containers are numbered in the order in which they are entered. `raise` numbers them in the same order, so a
 *     second appearance of an object travels as its number: shared references and cycles are preserved.
 * L4. Every object is entered once and no hole is walked over: the cost follows what the value holds.
 * L5. A part of a thrown error that cannot be sent is replaced by the words of its refusal; the error still arrives.
 */

export type Root = "args" | "result" | "item" | "thrown" | "value"

export interface Lowered {
  readonly value: unknown
  /** Some object appears more than once, so the reader has to number containers (L3). */
  readonly hasReferences: boolean
}

/** `root` is what the paths in refusals begin with; the array of arguments does not count as a level of nesting. */
export function lower(value: unknown, root: Root): Lowered {
  if (isPlainScalar(value)) return { value, hasReferences: false }
  const lowering = new Lowering(root)
  try {
    return { value: lowering.lower(value), hasReferences: lowering.hasReferences }
  } catch (thrown) {
    throw lowering.refusalFor(thrown)
  }
}

class Lowering {
  hasReferences = false
  readonly #path: (string | number)[]
  readonly #numbers = new Map<object, number>()
  readonly #depthMax: number
  /** Objects in the order of their numbers, kept where numbers may have to be taken back (L5). */
  readonly #numbered: object[] | undefined
  #refused: BunhouseError | undefined

  constructor(root: Root) {
    this.#path = [root]
    this.#depthMax = root === "args" ? VALUE_DEPTH_MAX + 1 : VALUE_DEPTH_MAX
    this.#numbered = root === "thrown" ? [] : undefined
  }

  lower(value: unknown): unknown {
    switch (typeof value) {
      case "number":
        return lowerNumber(value)
      case "string":
        return lowerText(value)
      case "boolean":
      case "undefined":
        return value
      case "bigint":
        return this.#bigint(value)
      case "object":
        return value === null ? null : this.#object(value)
      default:
        throw this.#refusal(typeof value === "symbol" ? "a symbol" : describeFunction(value))
    }
  }

  /** The refusal for whatever ended the lowering: our own, or what a getter or a Proxy threw. */
  refusalFor(thrown: unknown): BunhouseError {
    if (this.#refused !== undefined && thrown === this.#refused) return this.#refused
    return this.#refusal("something that throws when it is read", thrown)
  }

  #object(value: object): unknown {
    const number = this.#numbers.get(value)
    if (number !== undefined) {
      this.hasReferences = true
      return new Special(SpecialKind.reference, number)
    }
    if (this.#path.length > this.#depthMax) {
      throw this.#refusal(`nested deeper than ${VALUE_DEPTH_MAX} levels`)
    }
    this.#numbers.set(value, this.#numbers.size)
    this.#numbered?.push(value)
    if (Array.isArray(value)) return this.#array(value)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype) return this.#plain(value)
    if (prototype === null) return this.#entries(value, true)
    return this.#builtIn(value, prototype)
  }

  #array(array: readonly unknown[]): unknown {
    if (Object.getPrototypeOf(array) !== Array.prototype) {
      throw this.#refusal(`an instance of ${describeClass(array)}`)
    }
    // Named properties of an array do not travel; those that the engine itself makes are worth a refusal, and by
    // `constructor` msgpackr would take the array for something else (L2).
    const { constructor }: { constructor: unknown } = array
    if ("index" in array || "raw" in array || constructor !== Array) {
      throw this.#refusal("an array with named properties (spread it into a plain array)")
    }
    let copy: unknown[] | undefined
    const path = this.#path
    const depth = path.length
    let i = 0
    try {
      for (; i < array.length; i++) {
        const item = array[i]
        if (item === undefined && !Object.hasOwn(array, i)) {
          return this.#sparse(array, copy ?? array, i)
        }
        if (isPlainScalar(item)) {
          if (copy !== undefined) copy[i] = item
          continue
        }
        path.push(i)
        const lowered = this.lower(item)
        path.pop()
        // No copy goes further than this item: what comes may be a hole of a thousand million places (L4).
        if (copy !== undefined) copy[i] = lowered
        else if (lowered !== item) (copy = array.slice(0, i))[i] = lowered
      }
    } catch (thrown) {
      if (path.length === depth) path.push(i)
      throw this.refusalFor(thrown)
    }
    return copy ?? array
  }

  /** `head` holds what was lowered up to the first hole (L4). */
  #sparse(array: readonly unknown[], head: readonly unknown[], hole: number): Special {
    const content: unknown[] = []
    for (let i = 0; i < hole; i++) content.push(i, head[i])
    for (const key of Object.keys(array)) {
      const index = Number(key)
      // "", "1e3" and "-1" are names, not places.
      if (!(index > hole && index < array.length) || String(index) !== key) continue
      if (Number.isInteger(index)) content.push(index, this.#at(index, this.#read(array, index)))
    }
    return new Special(SpecialKind.sparseArray, array.length, content)
  }

  #plain(object: object): unknown {
    const keys = Object.keys(object)
    // All keys are looked at before any value, so that no value is lowered twice (L4).
    if (Reflect.ownKeys(object).length !== keys.length || !arePlainKeys(keys)) {
      return this.#entries(object, false)
    }
    let copy: Record<string, unknown> | undefined
    const path = this.#path
    const depth = path.length
    let key = ""
    try {
      for (key of keys) {
        const item = (object as Record<string, unknown>)[key]
        if (isPlainScalar(item)) continue
        path.push(key)
        const lowered = this.lower(item)
        path.pop()
        if (lowered !== item) (copy ??= { ...object })[key] = lowered
      }
    } catch (thrown) {
      if (path.length === depth) path.push(key)
      throw this.refusalFor(thrown)
    }
    return copy ?? object
  }

  #entries(object: object, nullPrototype: boolean): Special {
    const content: unknown[] = []
    for (const key of Reflect.ownKeys(object)) {
      if (!Object.prototype.propertyIsEnumerable.call(object, key)) continue
      if (typeof key === "symbol") {
        throw this.#refusal(`an object with the symbol key ${String(key)}`)
      }
      content.push(lowerText(key), this.#at(key, this.#read(object, key)))
    }
    return new Special(SpecialKind.entries, nullPrototype, content)
  }

  #builtIn(value: object, prototype: unknown): Special {
    const binary = lowerBinary(value, prototype)
    if (binary !== undefined) return binary
    const container = this.#container(value, prototype)
    if (container !== undefined) {
      if (Object.keys(value).length === 0) return container
      throw this.#refusal(`a ${describeClass(value)} with named properties`)
    }
    if (isError(value)) return lowerError(value, (key, read) => this.#errorPart(key, read))
    throw this.#refusal(`an instance of ${describeClass(value)}`)
  }

  #container(value: object, prototype: unknown): Special | undefined {
    switch (prototype) {
      case Date.prototype:
        return new Special(SpecialKind.date, (value as Date).getTime())
      case Map.prototype:
        return this.#map(value as Map<unknown, unknown>)
      case Set.prototype:
        return this.#set(value as Set<unknown>)
      case RegExp.prototype:
        return this.#regexp(value as RegExp)
      default:
        return undefined
    }
  }

  #map(map: Map<unknown, unknown>): Special {
    const content: unknown[] = []
    let index = 0
    for (const [key, item] of map) {
      content.push(this.#at(`key ${index}`, key), this.#at(`value ${index}`, item))
      index++
    }
    return new Special(SpecialKind.map, content)
  }

  #set(set: Set<unknown>): Special {
    const content: unknown[] = []
    for (const item of set) content.push(this.#at(`item ${content.length}`, item))
    return new Special(SpecialKind.set, content)
  }

  #regexp({ source, flags, lastIndex }: RegExp): Special {
    if (typeof lastIndex !== "number") throw this.#refusal("a RegExp whose lastIndex is no number")
    return new Special(SpecialKind.regexp, lowerText(source), flags, lowerNumber(lastIndex))
  }

  #bigint(value: bigint): Special {
    const digits = value.toString(16)
    if (digits.length > BIGINT_HEX_DIGITS_MAX + (value < 0n ? 1 : 0)) {
      throw this.#refusal(`a BigInt of more than ${BIGINT_HEX_DIGITS_MAX} hexadecimal digits`)
    }
    return new Special(SpecialKind.bigint, digits)
  }

  #errorPart(key: string, read: () => unknown): unknown {
    const path = this.#path
    const depth = path.push(key)
    const known = this.#numbers.size
    let lowered: unknown
    try {
      lowered = this.lower(read())
    } catch (thrown) {
      if (this.#numbered === undefined) throw thrown
      lowered = lowerText(this.refusalFor(thrown).message)
      for (const forgotten of this.#numbered.splice(known)) this.#numbers.delete(forgotten)
    }
    path.length = depth - 1
    return lowered
  }

  #at(key: string | number, item: unknown): unknown {
    if (isPlainScalar(item)) return item
    this.#path.push(key)
    const lowered = this.lower(item)
    this.#path.pop()
    return lowered
  }

  #read(object: object, key: string | number): unknown {
    try {
      return (object as Record<string | number, unknown>)[key]
    } catch (thrown) {
      this.#path.push(key)
      throw thrown
    }
  }

  #refusal(what: string, cause?: unknown): BunhouseError {
    const path = showPath(this.#path)
    this.#refused = new BunhouseError(
      "VALUE_NOT_SENDABLE",
      `${path} cannot be sent: it is ${shorten(what)}`,
      { path, ...(cause !== undefined && { cause }) },
    )
    return this.#refused
  }
}

/** msgpackr renames `__proto__`, and takes an object for something else by its `constructor` (L2). */
function arePlainKeys(keys: readonly string[]): boolean {
  for (const key of keys) {
    if (key === "__proto__" || key === "constructor" || !isPlainText(key)) return false
  }
  return true
}
