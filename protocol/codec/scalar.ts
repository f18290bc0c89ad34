import { Special, SpecialKind } from "./wire.ts"

/** Scalars: which of them msgpack says as they are, and how the others travel. */

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

/**
 * True for text that arrives as it is: UTF-8 has no lone surrogates, and the text decoder that msgpackr uses for long
 * strings drops a byte order mark at the beginning.
 */
export function isPlainText(text: string): boolean {
  return text.isWellFormed() && text.charCodeAt(0) !== 0xfeff
}

export function lowerText(text: string): string | Special {
  return isPlainText(text) ? text : new Special(SpecialKind.utf16, Buffer.from(text, "utf16le"))
}

export function toUtf16(bytes: unknown): string {
  if (!(bytes instanceof Uint8Array)) throw new RangeError("UTF-16 text without bytes")
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf16le")
}

const NEGATIVE_ZERO = new Special(SpecialKind.negativeZero)

export function lowerNumber(value: number): number | Special {
  return value === 0 && 1 / value < 0 ? NEGATIVE_ZERO : value
}
