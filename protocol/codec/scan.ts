import { BunhouseError } from "../errors.ts"
import { ENCODED_DEPTH_MAX } from "../limits.ts"
import { SPECIAL_EXTENSION } from "./wire.ts"

/**
 * Checks encoded bytes before msgpackr sees them, in one pass without allocation.
 *
 * Invariants:
 * S1. After `scan` returns, every length in the bytes is backed by bytes: nothing decoded can be larger than a small
 *     multiple of the input.
 * S2. Nesting is at most ENCODED_DEPTH_MAX, so that no decoder recurses without bound.
 * S3. Of msgpack's extensions only `undefined` (0) and our own (1) occur. msgpackr's own ones (records, pointers,
 *     regular expressions, errors, bundled strings) are always live in its decoder and must not be reachable.
 * S4. Keys of maps are strings.
 */
export function scan(bytes: Uint8Array, start: number, end: number): void {
  let at = start
  let depth = 0
  // How many values are still to come on each level; a map counts 2 per entry and has odd/even to find keys (S4).
  remaining[0] = 1
  isMap[0] = 0
  while (depth >= 0) {
    if (remaining[depth] === 0) {
      depth--
      continue
    }
    if (at >= end) throw malformed("it ends in the middle of a value")
    const left = (remaining[depth] ?? 0) - 1
    remaining[depth] = left
    const token = bytes[at++] ?? 0
    if (isMap[depth] === 1 && left % 2 === 1 && !isStringToken(token)) {
      throw malformed("a key of an object is not text")
    }
    if (token < 0x80 || token >= 0xe0) continue
    if (token < 0xa0) {
      const map = token < 0x90 ? 1 : 0
      depth = enter(depth, (token & 0x0f) << map, map)
      continue
    }
    if (token < 0xc0) {
      at = skip(at, token & 0x1f, end)
      continue
    }
    const fixed = FIXED_BYTES[token] ?? VARIABLE
    if (fixed !== VARIABLE) {
      at = skip(at, fixed, end)
      continue
    }
    switch (token) {
      case 0xc4:
      case 0xc5:
      case 0xc6:
        at = skipBlob(bytes, at, token - 0xc4, end)
        break
      case 0xd9:
      case 0xda:
      case 0xdb:
        at = skipBlob(bytes, at, token - 0xd9, end)
        break
      case 0xd4: {
        const type = bytes[at]
        if (bytes[at + 1] !== 0) throw malformed("an extension with content of its own")
        at = skip(at, 2, end)
        if (type === 0) break
        if (type !== SPECIAL_EXTENSION)
          throw malformed(`the extension ${String(type)} is not known`)
        depth = enter(depth, 1, 0)
        break
      }
      case 0xdc:
      case 0xdd:
      case 0xde:
      case 0xdf: {
        const wide = token & 1
        const map = token >= 0xde ? 1 : 0
        const items = wide === 1 ? u32(bytes, at) : u16(bytes, at)
        at = skip(at, wide === 1 ? 4 : 2, end)
        // Every item takes at least one byte (S1); the product cannot overflow a double.
        if (items * (map + 1) > end - at) throw malformed("it states more items than it has bytes")
        depth = enter(depth, items * (map + 1), map)
        break
      }
      default:
        throw malformed(`the byte 0x${token.toString(16)} is not used by this encoding`)
    }
  }
  if (at !== end) throw malformed("bytes follow the value")
}

// One scan runs at a time and never calls out, so that these can be shared.
const remaining = new Float64Array(ENCODED_DEPTH_MAX + 2)
const isMap = new Uint8Array(ENCODED_DEPTH_MAX + 2)

/** Bytes that follow a token, where the token alone tells. Single floats and 64-bit integers are never written. */
const VARIABLE = 0xff
const FIXED_BYTES = new Uint8Array(256).fill(VARIABLE)
for (const [token, bytes] of [
  [0xc0, 0],
  [0xc2, 0],
  [0xc3, 0],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
] as const) {
  FIXED_BYTES[token] = bytes
}

function enter(depth: number, items: number, map: number): number {
  if (depth >= ENCODED_DEPTH_MAX) throw malformed("it is nested too deeply")
  remaining[depth + 1] = items
  isMap[depth + 1] = map
  return depth + 1
}

/** Skips bytes or text whose length stands in 1, 2 or 4 bytes (`width` 0, 1, 2). */
function skipBlob(bytes: Uint8Array, at: number, width: number, end: number): number {
  if (width === 0) return skip(at + 1, bytes[at] ?? 0, end)
  return width === 1 ? skip(at + 2, u16(bytes, at), end) : skip(at + 4, u32(bytes, at), end)
}

function skip(at: number, length: number, end: number): number {
  const next = at + length
  if (next > end) throw malformed("it ends in the middle of a value")
  return next
}

function isStringToken(token: number): boolean {
  return (token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= 0xdb)
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 0x10000 + u16(bytes, at + 2)
}

function malformed(reason: string): BunhouseError {
  return new BunhouseError("PROTOCOL_ERROR", `an encoded value cannot be read: ${reason}`)
}
