/** How a frame is laid out (frame.ts). */
export const HEADER_BYTES = 24
export const BATCH_PREFIX_BYTES = 4
export const MAGIC_0 = 0x62
export const MAGIC_1 = 0x68

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The same bytes, not a copy. */
export function bufferOf(bytes: Uint8Array): Buffer {
  if (bytes instanceof Buffer) return bytes
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Of one character as `length` counts them. */
export const UTF8_BYTES_MAX = 3

export const NO_BYTES: Uint8Array = new Uint8Array(0)
