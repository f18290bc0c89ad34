import { addExtension, Packr, RESERVE_START_SPACE } from "msgpackr/pack"

/**
 * The one importer of msgpackr. Records, shared structures, string bundling and structured cloning of msgpackr stay
 * off: they keep state between messages, and one lost message would corrupt all later ones.
 *
 * What plain msgpack cannot say travels in one extension: a tag followed by an array `[kind, ...content]`.
 */

/** msgpack extension type of `Special`. */
export const SPECIAL_EXTENSION = 1

/** Kinds of special values. The numbers are the wire; they are never reused. */
export const SpecialKind = {
  reference: 0,
  negativeZero: 1,
  bigint: 2,
  date: 3,
  regexp: 4,
  map: 5,
  set: 6,
  error: 7,
  binary: 8,
  sparseArray: 9,
  entries: 10,
  utf16: 11,
} as const
export type SpecialKind = (typeof SpecialKind)[keyof typeof SpecialKind]

/** A value that msgpack has no type for, in the form in which it travels. */
export class Special {
  readonly content: readonly [kind: SpecialKind, ...unknown[]]

  constructor(kind: SpecialKind, ...content: unknown[]) {
    this.content = [kind, ...content]
  }
}

/** Turns the content of a special into its value while msgpackr decodes. Set by raise.ts for each payload. */
export type SpecialReader = (content: unknown) => unknown

let readSpecial: SpecialReader = refuse

/** Decodes with `reader` for specials. Not re-entrant by design: a reader never decodes. */
export function unpackWith(
  reader: SpecialReader,
  bytes: Uint8Array,
  start: number,
  end: number,
): unknown {
  const outer = readSpecial
  readSpecial = reader
  range.start = start
  range.end = end
  try {
    return packr.unpack(bytes, range)
  } finally {
    readSpecial = outer
  }
}

/** Encodes a value that `lower` has made plain; `reserve` bytes are left free before it. */
export function packAfter(reserve: number, value: unknown): Buffer {
  // A getter may encode something itself; msgpackr allows it, but its block must not be changed meanwhile.
  const isNested = isPacking
  isPacking = true
  try {
    // msgpackr takes "reserve n bytes" as this flag plus n.
    const bytes = packr.pack(value, RESERVE_START_SPACE + reserve)
    // Messages share a block, and msgpackr never makes a smaller one: after one huge message, each small payload
    // would keep hundreds of megabytes alive.
    if (bytes.length > LARGE_BYTES && !isNested)
      packr.useBuffer(Buffer.allocUnsafeSlow(BLOCK_BYTES))
    return bytes
  } finally {
    isPacking = isNested
  }
}

let isPacking = false
const BLOCK_BYTES = 8 * 1024
const LARGE_BYTES = 1024 * 1024

const range = { start: 0, end: 0 }

const packr = new Packr({ useRecords: false, variableMapSize: true, mapsAsObjects: true })

addExtension({
  Class: Special,
  type: SPECIAL_EXTENSION,
  write: (special: Special) => special.content,
  read: (content: unknown) => readSpecial(content),
})

function refuse(): never {
  throw new Error("a special value outside of a decode")
}
