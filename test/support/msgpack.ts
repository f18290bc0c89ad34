/** A writer of msgpack by hand, for messages that our encoder would never make. */

export type Part = number | Uint8Array | readonly Part[]

/** Flattens bytes and parts into a payload. */
export function bytesOf(...parts: readonly Part[]): Uint8Array {
  const chunks: Uint8Array[] = []
  const add = (part: Part): void => {
    if (typeof part === "number") chunks.push(Uint8Array.of(part))
    else if (part instanceof Uint8Array) chunks.push(part)
    else for (const inner of part) add(inner)
  }
  for (const part of parts) add(part)
  return new Uint8Array(Buffer.concat(chunks))
}

export const NIL = 0xc0

export function text(value: string): Part {
  const bytes = new TextEncoder().encode(value)
  return [0xdb, u32(bytes.length), bytes]
}

export function binary(...bytes: number[]): Part {
  return [0xc6, u32(bytes.length), bytes]
}

export function list(...items: Part[]): Part {
  return [0xdd, u32(items.length), items]
}

export function map(...keysAndValues: Part[]): Part {
  return [0xdf, u32(keysAndValues.length / 2), keysAndValues]
}

export function int(value: number): Part {
  return [0xd2, u32(value >>> 0)]
}

export function float(value: number): Part {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setFloat64(0, value)
  return [0xcb, bytes]
}

/** Our extension around a short list. */
export function special(kind: number, ...content: Part[]): Part {
  return [0xd4, 1, 0, 0x90 + content.length + 1, int(kind), content]
}

export function u32(value: number): Part {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]
}
