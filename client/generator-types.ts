/** What generator functions are declared to return. No such thing can travel as a plain result. */
type AnyGenerator = Iterator<unknown, unknown, never> | AsyncIterable<unknown>

/** Neither `any` nor `never` is one, though both can be assigned to it. */
export type IsGenerator<R> = unknown extends R
  ? false
  : [R] extends [never]
    ? false
    : [R] extends [AnyGenerator]
      ? true
      : false

/** The same items, awaited one by one. */
export type AsAsyncGenerator<G> =
  G extends AsyncIterator<infer Item, infer End, infer Sent>
    ? AsyncGenerator<Item, End, Sent>
    : G extends AsyncIterable<infer Item>
      ? AsyncGenerator<Item, unknown, unknown>
      : G extends Iterator<infer Item, infer End, infer Sent>
        ? AsyncGenerator<Item, End, Sent>
        : never

/** The same items, where each step blocks. */
export type AsGenerator<G> =
  G extends AsyncIterator<infer Item, infer End, infer Sent>
    ? Generator<Item, End, Sent>
    : G extends AsyncIterable<infer Item>
      ? Generator<Item, unknown, unknown>
      : G
