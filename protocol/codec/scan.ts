import { BunhouseError } from "../errors.ts"
import { ENCODED_DEPTH_MAX } from "../limits.ts"
import { SPECIAL_EXTENSION } from "./wire.ts"

/**
 * Checks encoded bytes before msgpackr sees them, in one pass without allocation.
 *
 * Invariants:
 * S1. After `scan` returns, every length in the bytes is backed by bytes: what is decoded is larger than the input by
 *     a bounded factor (a hundred, where the bytes are nothing but empty containers).
 * S2. Nesting is at most ENCODED_DEPTH_MAX, so that no decoder recurses without bound.
 * S3. Of msgpack's extensions only `undefined` (0) and our own (1) occur. msgpackr's own ones (records, pointers,
 *     regular expressions, errors, bundled strings) are always live in its decoder and must not be reachable.
 * S4. Keys of maps are strings.
 * S5. The content of a special is a list of at most 15 parts. Binary data stands only there: elsewhere it would
 *     arrive as a view of the message, and the walk over references would take it for an object of many keys.
 */
export function scan(bytes: Uint8Array, start: number, end: number): void {
  let at = start
  let depth = 0
  // How many values are still to come on each level; a map counts 2 per entry and has odd/even to find keys (S4).
  remaining[0] = 1
  shape[0] = LIST
  while (depth >= 0) {
    const left = (remaining[depth] ?? 0) - 1
    if (left < 0) {
      depth--
      continue
    }
    remaining[depth] = left
    if (at >= end) throw cutShort()
    const token = bytes[at++] ?? 0
    if (shape[depth] === MAP && left % 2 === 1 && !isStringToken(token)) {
      throw malformed("a key of an object is not text")
    }
    if (token < 0x80 || token >= 0xe0) continue
    const fixed = FIXED_BYTES[token] ?? VARIABLE
    if (fixed !== VARIABLE) {
      at = skip(at, fixed, end)
    } else if (token < 0xa0 || (token >= 0xdc && token <= 0xdf)) {
      const width = token < 0xa0 ? 0 : token % 2 === 0 ? 2 : 4
      const count = width === 0 ? token & 0x0f : width === 2 ? u16(bytes, at) : u32(bytes, at)
      const map = token < 0x90 || token >= 0xde ? MAP : LIST
      at = skip(at, width, end)
      depth = enter(depth, map === MAP ? count * 2 : count, map)
    } else if (isStringToken(token)) {
      at = skipBlob(bytes, at, token - 0xd9, end)
    } else if (token >= 0xc4 && token <= 0xc6) {
      if (shape[depth] !== SPECIAL) throw malformed("binary data stands by itself") // S5
      at = skipBlob(bytes, at, token - 0xc4, end)
    } else if (token === 0xd4) {
      at = skip(at, 2, end)
      if (bytes[at - 1] !== 0) throw malformed("an extension with content of its own")
      const type = bytes[at - 2]
      if (type === 0) continue
      if (type !== SPECIAL_EXTENSION) throw malformed(`the extension ${type} is not known`)
      const content = bytes[at] ?? 0
      at = skip(at, 1, end)
      if ((content & 0xf0) !== 0x90) throw malformed("a special value is no short list") // S5
      depth = enter(enter(depth, 0, LIST), content & 0x0f, SPECIAL)
    } else {
      throw malformed(`the byte 0x${token.toString(16)} is not used by this encoding`)
    }
  }
  if (at !== end) throw malformed("bytes follow the value")
}

// One scan runs at a time and never calls out, so that these can be shared.
const remaining = new Float64Array(ENCODED_DEPTH_MAX + 2)
const shape = new Uint8Array(ENCODED_DEPTH_MAX + 2)

/** Shapes of a level: items, keys and values in turn, or the content of a special. */
const LIST = 0
const MAP = 1
const SPECIAL = 2

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
for (let length = 0; length < 0x20; length++) FIXED_BYTES[0xa0 + length] = length

function enter(depth: number, items: number, levelShape: number): number {
  if (depth >= ENCODED_DEPTH_MAX) throw malformed("it is nested too deeply")
  remaining[depth + 1] = items
  shape[depth + 1] = levelShape
  return depth + 1
}

/** Skips bytes or text whose length stands in 1, 2 or 4 bytes (`width` 0, 1, 2). */
function skipBlob(bytes: Uint8Array, at: number, width: number, end: number): number {
  if (width === 0) return skip(at + 1, bytes[at] ?? 0, end)
  return width === 1 ? skip(at + 2, u16(bytes, at), end) : skip(at + 4, u32(bytes, at), end)
}

function skip(at: number, length: number, end: number): number {
  const next = at + length
  if (next > end) throw cutShort()
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

function cutShort(): BunhouseError {
  return malformed("it ends in the middle of a value")
}

function malformed(reason: string): BunhouseError {
  return new BunhouseError("PROTOCOL_ERROR", `an encoded value cannot be read: ${reason}`)
}
