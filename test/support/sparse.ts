/** An array with holes wherever `items` says nothing. */
export function sparse(length: number, items: Readonly<Record<number, unknown>> = {}): unknown[] {
  return Object.assign(Array<unknown>(length), items)
}
