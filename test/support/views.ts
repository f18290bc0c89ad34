/** Every kind of view of a buffer. */
export const VIEWS: readonly ViewConstructor[] = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float16Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
]

type ViewConstructor = new (
  buffer: ArrayBuffer,
  offset?: number,
  length?: number,
) => ArrayBufferView
