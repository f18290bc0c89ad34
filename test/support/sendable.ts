import * as fc from "fast-check"
import { VIEWS } from "./views.ts"

/** Arbitraries for values that can be sent. */

/** Every UTF-16 text: lone surrogates, byte order marks, NUL; short and long enough for every header of msgpack. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary", maxLength: 80 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 80 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom("\ud800", "\udc00\ud800", "\ufeff", "\ufeffx", "\0", "😀", "é", "__proto__"),
  fc
    .tuple(
      fc.constantFrom("a", "é", "€", "😀", "\ud83d", "\ufeff"),
      fc.integer({ min: 0, max: 300 }),
    )
    .map(([unit, times]) => unit.repeat(times)),
)

const TELLING_NUMBERS = [
  -0,
  0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
  31,
  32,
  63,
  64,
  127,
  128,
  255,
  256,
  65_535,
  65_536,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  2 ** 53 + 2,
  2 ** 63,
  -1,
  -32,
  -33,
  -128,
  -129,
  -32_768,
  -32_769,
  -(2 ** 31),
  -(2 ** 31) - 1,
  -(2 ** 53),
  0.1,
  -0.1,
]

export const anyNumber: fc.Arbitrary<number> = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.constantFrom(...TELLING_NUMBERS),
)

export const anyScalar: fc.Arbitrary<unknown> = fc.oneof(
  anyText,
  anyNumber,
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(undefined, null),
)

const anyBinary: fc.Arbitrary<object> = fc
  .tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(VIEWS.length + 1))
  .map(([bytes, kind]) => {
    const buffer = new ArrayBuffer(bytes.length + 16)
    new Uint8Array(buffer).fill(7).set(bytes)
    const View = VIEWS[kind]
    if (View !== undefined) return new View(buffer, 8, Math.floor(bytes.length / 8))
    return kind === VIEWS.length ? buffer : Buffer.from(bytes)
  })

const anyRegExp: fc.Arbitrary<RegExp> = fc
  .tuple(
    fc.constantFrom("", "a+", "[\\]/]", "\ud83d", "(?<n>é)"),
    fc.subarray(["d", "g", "i", "m", "s", "y"]),
    fc.nat(99),
  )
  .map(([source, flags, lastIndex]) => {
    const regexp = new RegExp(source, flags.join(""))
    regexp.lastIndex = lastIndex
    return regexp
  })

const ERRORS = [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError]

/** One object of a graph, still without the objects it holds. */
interface Node {
  readonly value: object
  hold(name: string, item: unknown, key: unknown): void
}

type MakeNode = () => Node

const nodeMakers: readonly MakeNode[] = [
  () => objectNode({}),
  () => objectNode(Object.setPrototypeOf({}, null)),
  () => {
    const value: unknown[] = []
    return { value, hold: (_, item) => void value.push(item) }
  },
  () => {
    const value: unknown[] = []
    // Every item stands behind a hole.
    return { value, hold: (_, item) => void (value[value.length + 1] = item) }
  },
  () => {
    const value = new Map()
    return { value, hold: (_, item, key) => void value.set(key, item) }
  },
  () => {
    const value = new Set()
    return { value, hold: (_, item) => void value.add(item) }
  },
  ...ERRORS.map((Class) => () => objectNode(new Class("it broke"))),
  () => {
    const value = new AggregateError([], "they broke")
    return { value, hold: (_, item) => void value.errors.push(item) }
  },
  () => {
    const value: Error = new Error("caused")
    return { value, hold: (_, item) => void (value.cause = item) }
  },
]

function objectNode(value: object): Node {
  return {
    value,
    hold: (name, item) =>
      void Object.defineProperty(value, name, {
        value: item,
        enumerable: true,
        configurable: true,
        writable: true,
      }),
  }
}

const TELLING_KEYS = "__proto__ constructor toJSON hasOwnProperty then length 1 0".split(" ")
/** Keys that mean something else in an error, where they stand for its standard properties. */
const STANDARD_KEYS = "name message stack cause remote errors".split(" ")

const anyKey: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 4, arbitrary: fc.string({ maxLength: 8 }) },
    fc.constantFrom(...TELLING_KEYS),
    anyText,
  )
  .filter((key) => !STANDARD_KEYS.includes(key))

const anyLeaf: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: anyScalar },
  anyBinary,
  anyRegExp,
  fc.date({ noInvalidDate: false }),
)

/** A value of up to 24 objects that hold scalars, leaves and each other: trees, shared objects and cycles. */
export const anyGraph: fc.Arbitrary<unknown> = fc
  .record({
    makers: fc.array(fc.constantFrom(...nodeMakers), { minLength: 1, maxLength: 24 }),
    edges: fc.array(fc.tuple(fc.nat(23), fc.nat(23), anyKey), { maxLength: 48 }),
    leaves: fc.array(fc.tuple(fc.nat(23), anyLeaf, anyKey, fc.boolean()), { maxLength: 24 }),
  })
  .map(({ makers, edges, leaves }) => {
    const root = objectNode({})
    const nodes = [root, ...makers.map((make) => make())]
    const nodeAt = (index: number): Node => nodes[index % nodes.length] ?? root
    // Every object is held by an earlier one, so that all are reached.
    for (const [index, node] of nodes.entries()) {
      if (index > 0)
        nodeAt(Math.floor(index / 2)).hold(`child ${index}`, node.value, `child ${index}`)
    }
    for (const [from, to, key] of edges) nodeAt(from).hold(key, nodeAt(to).value, nodeAt(to).value)
    for (const [at, leaf, key, asKey] of leaves) nodeAt(at).hold(key, leaf, asKey ? leaf : key)
    // Any kind of object may stand at the top.
    return nodes[1]?.value
  })
