/** So many bytes, of which no part is like another. */
export function noise(bytes: number, seed = 0): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4))
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + seed, 0x9e3779b1)
  return new Uint8Array(words.buffer, 0, bytes)
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
