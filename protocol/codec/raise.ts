import { BIGINT_HEX_DIGITS_MAX } from "../limits.ts"
import { toBinary } from "./binary.ts"
import { buildError, completeError } from "./error-value.ts"
import { toUtf16 } from "./scalar.ts"
import { Special, SpecialKind, unpackWith } from "./wire.ts"

/**
 * Raising: from decoded msgpack back to the value that was sent; the mirror of lower.ts.
 *
 * Without references every special becomes its value while msgpackr decodes, at no extra pass. With references the
 * specials are kept, and a second walk numbers containers as `lower` did (L3) and fills them in place, so that a
 * reference can point at a container that is still being filled.
 *
 * The bytes were scanned before (scan.ts): sizes and depth are bounded. Contents are still unknown: whatever does
 * not fit throws RangeError, which `decodePayload` turns into a refusal. Nothing from the wire is made into text or
 * into a number by conversion: an array in place of text may take for ever to become text.
 */

export function raiseDirectly(bytes: Uint8Array, start: number, end: number): unknown {
  return unpackWith(fromContent, bytes, start, end)
}

export function raiseWithReferences(bytes: Uint8Array, start: number, end: number): unknown {
  const tree = unpackWith(keep, bytes, start, end)
  return new Raising().raise(tree)
}

function keep(content: unknown): Special {
  const [kind, ...rest] = list(content) // at most 15 parts (S5)
  return new Special(kind as SpecialKind, ...rest)
}

function fromContent(content: unknown): unknown {
  const [kind, first, second, third, fourth, fifth] = list(content)
  const leaf = leafFrom(kind, first, second, third)
  if (leaf !== undefined) return leaf.value
  switch (kind) {
    case SpecialKind.map:
      return fillMap(new Map(), pairs(first))
    case SpecialKind.set:
      return new Set(list(first))
    case SpecialKind.error:
      return completeError(buildError(first, third, second), fourth, pairs(fifth))
    case SpecialKind.sparseArray:
      return fillSparse([], first, pairs(second))
    case SpecialKind.entries:
      return fillEntries(first === true ? Object.create(null) : {}, pairs(second))
    default:
      throw unknownSpecial()
  }
}

/** Values that hold no other values; boxed, because `undefined` means "not a leaf". */
function leafFrom(
  kind: unknown,
  first: unknown,
  second: unknown,
  third: unknown,
): { readonly value: unknown } | undefined {
  switch (kind) {
    case SpecialKind.negativeZero:
      return { value: -0 }
    case SpecialKind.bigint:
      return { value: toBigInt(first) }
    case SpecialKind.utf16:
      return { value: toUtf16(first) }
    case SpecialKind.date:
      return { value: new Date(typeof first === "number" ? first : Number.NaN) }
    case SpecialKind.regexp:
      return { value: toRegExp(first, second, third) }
    case SpecialKind.binary:
      return { value: toBinary(first, second) }
    default:
      return undefined
  }
}

const ARRAY_LENGTH_MAX = 0xffff_ffff

class Raising {
  readonly #numbered: unknown[] = []

  raise(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value
    if (value instanceof Special) return this.#special(value)
    this.#numbered.push(value)
    if (Array.isArray(value)) return this.#inPlace(value)
    const record = value as Record<string, unknown>
    for (const key of Object.keys(record)) record[key] = this.raise(record[key])
    return record
  }

  #inPlace(array: unknown[]): unknown[] {
    for (let i = 0; i < array.length; i++) array[i] = this.raise(array[i])
    return array
  }

  #special(special: Special): unknown {
    const [kind, first, second, third, fourth, fifth] = special.content
    switch (kind) {
      case SpecialKind.reference:
        return this.#reference(first)
      case SpecialKind.map: {
        const map = this.#number(new Map<unknown, unknown>())
        return fillMap(map, this.#inPlace(pairs(first)))
      }
      case SpecialKind.set: {
        const set = this.#number(new Set<unknown>())
        for (const item of list(first)) set.add(this.raise(item))
        return set
      }
      case SpecialKind.error: {
        const error = this.#number(buildError(first, this.#text(third), this.#text(second)))
        return completeError(error, this.#text(fourth), this.#inPlace(pairs(fifth)))
      }
      case SpecialKind.sparseArray:
        return fillSparse(this.#number([]), first, this.#inPlace(pairs(second)))
      case SpecialKind.entries: {
        const object = this.#number(first === true ? Object.create(null) : {}) as object
        return fillEntries(object, this.#inPlace(pairs(second)))
      }
      default:
        return this.#leaf(kind, first, second, third)
    }
  }

  #leaf(kind: SpecialKind, first: unknown, second: unknown, third: unknown): unknown {
    const leaf = leafFrom(kind, this.#text(first), second, this.#text(third))
    if (leaf === undefined) throw unknownSpecial()
    if (typeof leaf.value === "object") this.#numbered.push(leaf.value)
    return leaf.value
  }

  /** A part that holds no other values: it may be a special itself (UTF-16 text, -0). */
  #text(part: unknown): unknown {
    if (!(part instanceof Special)) return part
    const [kind, first] = part.content
    return leafFrom(kind, first, undefined, undefined)?.value
  }

  #reference(number: unknown): unknown {
    const known = this.#numbered.length
    if (isIndex(number, known)) return this.#numbered[number]
    throw new RangeError(`a reference to none of the ${known} objects before it`)
  }

  #number<T>(container: T): T {
    this.#numbered.push(container)
    return container
  }
}

function fillMap(map: Map<unknown, unknown>, content: readonly unknown[]): Map<unknown, unknown> {
  for (let i = 0; i < content.length; i += 2) map.set(content[i], content[i + 1])
  return map
}

function fillSparse(array: unknown[], length: unknown, content: readonly unknown[]): unknown[] {
  if (!isIndex(length, ARRAY_LENGTH_MAX + 1)) throw new RangeError("a sparse array of no length")
  // An array that once was this long is kept as a list of its items; otherwise the engine makes room for holes too,
  // and a message of many empty arrays could take any amount of memory.
  array.length = ARRAY_LENGTH_MAX
  array.length = length
  for (let i = 0; i < content.length; i += 2) {
    const index = content[i]
    if (!isIndex(index, length)) throw new RangeError("a sparse array with an item outside of it")
    array[index] = content[i + 1]
  }
  return array
}

function fillEntries(object: object, content: readonly unknown[]): object {
  for (let i = 0; i < content.length; i += 2) {
    Object.defineProperty(object, textOf(content[i]), {
      value: content[i + 1],
      enumerable: true,
      writable: true,
      configurable: true,
    })
  }
  return object
}

function toBigInt(digits: unknown): bigint {
  const text = textOf(digits)
  const negative = text.startsWith("-")
  const magnitude = negative ? text.slice(1) : text
  if (magnitude.length > BIGINT_HEX_DIGITS_MAX) throw new RangeError("a BigInt over the limit")
  const value = BigInt(`0x${magnitude}`)
  return negative ? -value : value
}

function toRegExp(source: unknown, flags: unknown, lastIndex: unknown): RegExp {
  const regexp = new RegExp(textOf(source), textOf(flags))
  if (typeof lastIndex === "number") regexp.lastIndex = lastIndex
  return regexp
}

function isIndex(value: unknown, end: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < end
}

function textOf(content: unknown): string {
  if (typeof content !== "string") throw new RangeError("a special value without its text")
  return content
}

function unknownSpecial(): RangeError {
  return new RangeError("a special value of an unknown kind")
}

function list(content: unknown): unknown[] {
  if (!Array.isArray(content)) throw new RangeError("a special value without its content")
  return content
}

function pairs(content: unknown): unknown[] {
  const items = list(content)
  if (items.length % 2 !== 0) throw new RangeError("a special value with half a pair")
  return items
}
