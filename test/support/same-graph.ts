/**
 * Where two values differ, or undefined if one stands for the other: same kinds, same contents, same order, and the
 * same identities (an object that one side meets twice is one object on the other side as well, and nothing more is).
 */
export function differenceOf(left: unknown, right: unknown): string | undefined {
  return new Comparison().compare(left, right, "value")
}

class Comparison {
  readonly #rightOf = new Map<object, object>()
  readonly #leftOf = new Map<object, object>()

  compare(left: unknown, right: unknown, path: string): string | undefined {
    if (!isObject(left) || !isObject(right)) {
      return Object.is(left, right) ? undefined : `${path}: ${show(left)} became ${show(right)}`
    }
    if (this.#rightOf.has(left) || this.#leftOf.has(right)) {
      const isSame = this.#rightOf.get(left) === right && this.#leftOf.get(right) === left
      return isSame ? undefined : `${path}: identity was lost or invented`
    }
    this.#rightOf.set(left, right)
    this.#leftOf.set(right, left)
    if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) {
      return `${path}: the prototype differs`
    }
    const lefts = partsOf(left)
    const rights = partsOf(right)
    if (lefts.length !== rights.length) {
      return `${path}: ${lefts.length} parts became ${rights.length}`
    }
    for (const [index, [name, part]] of lefts.entries()) {
      const [otherName, otherPart] = rights[index] ?? ["", undefined]
      if (name !== otherName) return `${path}: ${show(name)} stands as ${show(otherName)}`
      const difference = this.compare(part, otherPart, `${path}.${name}`)
      if (difference !== undefined) return difference
    }
    return undefined
  }
}

type Part = readonly [name: string, part: unknown]

function partsOf(value: object): Part[] {
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    return [["bytes", bytes.toHex()]]
  }
  if (value instanceof ArrayBuffer) return [["bytes", new Uint8Array(value).toHex()]]
  if (value instanceof Error) return errorPartsOf(value)
  const parts: Part[] = Object.entries(value)
  if (Array.isArray(value)) parts.push(["length", value.length])
  if (value instanceof Date) parts.push(["time", value.getTime()])
  if (value instanceof RegExp) {
    parts.push(["source", value.source], ["flags", value.flags], ["lastIndex", value.lastIndex])
  }
  if (value instanceof Map) {
    for (const [key, item] of value) parts.push(["key", key], ["item", item])
  }
  if (value instanceof Set) {
    for (const item of value) parts.push(["item", item])
  }
  return parts
}

/** Whether a standard property can be listed does not travel. */
function errorPartsOf(error: Error): Part[] {
  const parts: Part[] = [
    ...Object.entries(error).filter(([name]) => !STANDARD_NAMES.has(name)),
    ["name", error.name],
    ["message", error.message],
    ["stack", error.stack ?? ""],
    ["has a cause", Object.hasOwn(error, "cause")],
    ["cause", error.cause],
  ]
  if ("errors" in error) parts.push(["errors", error.errors])
  return parts
}

const STANDARD_NAMES = new Set(["name", "message", "stack", "cause", "errors"])

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null
}

function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : Bun.inspect(value, { depth: 1 })
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
