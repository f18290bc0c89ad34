import { BunhouseError } from "../errors.ts"
import { BIGINT_HEX_DIGITS_MAX, VALUE_DEPTH_MAX } from "../limits.ts"
import { binaryIndexOf } from "./binary.ts"
import { errorContent } from "./error-value.ts"
import { Special, SpecialKind } from "./wire.ts"

/**
 * Lowering: from any sendable JavaScript value to one that msgpack can say, or a refusal that names the path.
 *
 * Invariants:
 * L1. The value of the caller is never changed; containers are copied only where something inside had to change.
 * L2. What msgpackr would alter silently never reaches it: -0, functions, symbols, class instances, lone surrogates,
 *     holes, `__proto__` keys.
 * L3. Containers are numbered in the order in which they are entered. `raise` numbers them in the same order, so a
 *     second appearance of an object travels as its number: shared references and cycles are preserved.
 */

export interface Lowered {
  readonly value: unknown
  /** Some object appears more than once, so the reader has to number containers (L3). */
  readonly hasReferences: boolean
}

/** `root` is what the paths in refusals begin with; the array of arguments does not count as a level of nesting. */
export function lower(value: unknown, root: "args" | "result" | "thrown"): Lowered {
  if (isPlainScalar(value)) return { value, hasReferences: false }
  const lowering = new Lowering(root, root === "args" ? VALUE_DEPTH_MAX + 1 : VALUE_DEPTH_MAX)
  return { value: lowering.lower(value), hasReferences: lowering.hasReferences }
}

/** True for what msgpack says as it is, without a look inside. */
export function isPlainScalar(value: unknown): boolean {
  switch (typeof value) {
    case "number":
      return value !== 0 || 1 / value > 0
    case "string":
      return isPlainText(value)
    case "boolean":
    case "undefined":
      return true
    default:
      return value === null
  }
}

class Lowering {
  hasReferences = false
  readonly #path: (string | number)[]
  readonly #numbers = new Map<object, number>()

  readonly #depthMax: number

  constructor(root: string, depthMax: number) {
    this.#path = [root]
    this.#depthMax = depthMax
  }

  lower(value: unknown): unknown {
    switch (typeof value) {
      case "number":
        return value === 0 && 1 / value < 0 ? NEGATIVE_ZERO : value
      case "string":
        return isPlainText(value) ? value : utf16(value)
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
    if (Array.isArray(value)) return this.#array(value)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype) return this.#plain(value)
    if (prototype === null) return this.#entries(value, true)
    return this.#builtIn(value)
  }

  #array(array: readonly unknown[]): unknown {
    if (Object.getPrototypeOf(array) !== Array.prototype) {
      throw this.#refusal(`an instance of ${className(array)}`)
    }
    // Named properties of an array do not travel; those that the engine itself makes are worth a refusal.
    if ("index" in array || "raw" in array) {
      throw this.#refusal("an array with named properties (spread it into a plain array)")
    }
    let copy: unknown[] | undefined
    const path = this.#path
    for (let i = 0; i < array.length; i++) {
      const item = array[i]
      if (item === undefined) {
        if (!Object.hasOwn(array, i)) return this.#sparse(array)
        continue
      }
      if (isPlainScalar(item)) continue
      path.push(i)
      const lowered = this.lower(item)
      path.pop()
      if (lowered !== item) (copy ??= array.slice())[i] = lowered
    }
    return copy ?? array
  }

  #sparse(array: readonly unknown[]): unknown {
    // Objects before the first hole were numbered already; they must be met again as if for the first time.
    this.#forgetFrom(array)
    const content: unknown[] = []
    for (const key of Object.keys(array)) {
      const index = Number(key)
      if (!Number.isInteger(index)) continue
      content.push(index, this.#at(index, array[index]))
    }
    return new Special(SpecialKind.sparseArray, array.length, content)
  }

  #forgetFrom(container: object): void {
    const number = this.#numbers.get(container) ?? 0
    for (const [object, known] of this.#numbers) {
      if (known > number) this.#numbers.delete(object)
    }
  }

  #plain(object: object): unknown {
    const record = object as Record<string, unknown>
    const keys = Object.keys(object)
    if (Reflect.ownKeys(object).length !== keys.length) return this.#entries(object, false)
    let copy: Record<string, unknown> | undefined
    const path = this.#path
    for (const key of keys) {
      if (key === "__proto__" || key === "constructor" || !isPlainText(key)) {
        this.#forgetFrom(object)
        return this.#entries(object, false)
      }
      const item = this.#read(record, key)
      if (isPlainScalar(item)) {
        if (copy !== undefined) copy[key] = item
        continue
      }
      path.push(key)
      const lowered = this.lower(item)
      path.pop()
      if (copy !== undefined) copy[key] = lowered
      else if (lowered !== item) copy = copyBefore(record, keys, key, lowered)
    }
    return copy ?? object
  }

  #entries(object: object, nullPrototype: boolean): unknown {
    const content: unknown[] = []
    for (const key of Reflect.ownKeys(object)) {
      if (!Object.prototype.propertyIsEnumerable.call(object, key)) continue
      if (typeof key === "symbol") {
        throw this.#refusal(`an object with the symbol key ${String(key)}`)
      }
      const item = this.#read(object as Record<string, unknown>, key)
      content.push(isPlainText(key) ? key : utf16(key), this.#at(key, item))
    }
    return new Special(SpecialKind.entries, nullPrototype, content)
  }

  #builtIn(value: object): unknown {
    const binary = binaryIndexOf(value)
    if (binary !== undefined) return binary
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Date.prototype) {
      return new Special(SpecialKind.date, (value as Date).getTime())
    }
    if (prototype === Map.prototype) return this.#map(value as Map<unknown, unknown>)
    if (prototype === Set.prototype) return this.#set(value as Set<unknown>)
    if (prototype === RegExp.prototype) {
      const { source, flags, lastIndex } = value as RegExp
      return new Special(SpecialKind.regexp, this.#at("source", source), flags, lastIndex)
    }
    if (Error.isError(value)) {
      return errorContent(value, (key, item) => this.#at(key, item))
    }
    throw this.#refusal(`an instance of ${className(value)}`)
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

  #bigint(value: bigint): Special {
    const digits = value.toString(16)
    if (digits.length > BIGINT_HEX_DIGITS_MAX) {
      throw this.#refusal(`a BigInt of more than ${BIGINT_HEX_DIGITS_MAX} hexadecimal digits`)
    }
    return new Special(SpecialKind.bigint, digits)
  }

  #at(key: string | number, item: unknown): unknown {
    if (isPlainScalar(item)) return item
    this.#path.push(key)
    const lowered = this.lower(item)
    this.#path.pop()
    return lowered
  }

  #read(object: Record<string, unknown>, key: string): unknown {
    try {
      return object[key]
    } catch (cause) {
      this.#path.push(key)
      throw this.#refusal("a getter that throws", cause)
    }
  }

  #refusal(what: string, cause?: unknown): BunhouseError {
    const path = showPath(this.#path)
    return new BunhouseError("VALUE_NOT_SENDABLE", `${path} cannot be sent: it is ${what}`, {
      path,
      ...(cause !== undefined && { cause }),
    })
  }
}

const NEGATIVE_ZERO = new Special(SpecialKind.negativeZero)

// A byte order mark at the beginning is dropped by the text decoder that msgpackr uses for long strings.
function isPlainText(text: string): boolean {
  return text.isWellFormed() && text.charCodeAt(0) !== 0xfeff
}

function utf16(text: string): Special {
  return new Special(SpecialKind.utf16, Buffer.from(text, "utf16le"))
}

function copyBefore(
  record: Record<string, unknown>,
  keys: readonly string[],
  changed: string,
  lowered: unknown,
): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const key of keys) {
    if (key === changed) break
    copy[key] = record[key]
  }
  copy[changed] = lowered
  return copy
}

function className(value: object): string {
  const name: unknown = (value.constructor as { name?: unknown } | undefined)?.name
  return typeof name === "string" && name !== "" ? name : "an unnamed class"
}

function describeFunction(value: unknown): string {
  const name = (value as { name?: unknown }).name
  return typeof name === "string" && name !== "" ? `the function ${name}` : "a function"
}

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u

/** `args[0].user["first name"]` */
function showPath(path: readonly (string | number)[]): string {
  let shown = String(path[0])
  for (const part of path.slice(1)) {
    if (typeof part === "number") shown += `[${part}]`
    else shown += IDENTIFIER.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`
  }
  return shown.length > 200 ? `${shown.slice(0, 197)}...` : shown
}
