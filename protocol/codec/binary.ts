import { Special, SpecialKind } from "./wire.ts"

/**
 * Binary values: ArrayBuffer, DataView, Buffer and every typed array. The bytes a view shows travel, in little-endian
 * order; the rest of its buffer does not, and a received view always owns exactly its bytes.
 */

type View = ArrayBufferView
type ViewConstructor = new (buffer: ArrayBuffer) => View

/** Position in this list is the wire; entries are only ever added at the end. */
const VIEWS: readonly ViewConstructor[] = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
  Float16Array,
]
const ARRAY_BUFFER = 100
const BUFFER = 101

const indexByPrototype = new Map<unknown, number>([
  ...VIEWS.map((view, index): [unknown, number] => [view.prototype, index]),
  [ArrayBuffer.prototype, ARRAY_BUFFER],
  [Buffer.prototype, BUFFER],
])

/** The special for a binary value, undefined for any other object. */
export function lowerBinary(value: object, prototype: unknown): Special | undefined {
  const index = indexByPrototype.get(prototype)
  if (index === undefined) return undefined
  return new Special(SpecialKind.binary, index, bytesOf(value as ArrayBuffer | View))
}

/** Rebuilds a binary value from its bytes; throws RangeError where index or length cannot be. */
export function toBinary(index: unknown, bytes: unknown): unknown {
  if (!(bytes instanceof Uint8Array)) throw new RangeError("binary value without bytes")
  if (index === BUFFER) return Buffer.from(bytes)
  const owned = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  if (index === ARRAY_BUFFER) return owned
  const View = typeof index === "number" ? VIEWS[index] : undefined
  if (View === undefined) throw new RangeError("a binary value of an unknown kind")
  return new View(owned as ArrayBuffer)
}

function bytesOf(value: ArrayBuffer | View): Buffer {
  if (value instanceof ArrayBuffer) return Buffer.from(value)
  return Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength)
}
