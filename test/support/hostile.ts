import { decodePayload, encodeArgs, encodeThrown } from "../../protocol/codec/index.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { differenceOf } from "./same-graph.ts"
import { sparse } from "./sparse.ts"
import { binary, bytesOf, float, int, list, map, NIL, type Part, special, text } from "./msgpack.ts"

/**
 * Payloads that a peer might send to do harm, made from numbers of a seed: changed and cut valid ones, well-formed ones
 * of random content, and noise.
 */
export function hostilePayload(random: () => number): Uint8Array {
  const pick = below(random)
  switch (pick(8)) {
    case 0:
      return noise(pick)
    case 1:
    case 2:
      return bytesOf(pick(2), randomTree(pick, 6))
    case 3:
      return mutated(bytesOf(pick(2), randomTree(pick, 4)), pick)
    case 4:
      return spliced(pick)
    default:
      return mutated(validPayload(pick), pick)
  }
}

/**
 * Decodes what may be anything. Returns whether it was accepted; throws for any other outcome than a PROTOCOL_ERROR or
 * a value that can be sent again, arrives as it is, and does not depend on the bytes around the payload.
 */
export function isAccepted(bytes: Uint8Array): boolean {
  const alone = outcomeOf(bytes, 0, bytes.length)
  const around = Buffer.alloc(bytes.length + 32, 0xc1)
  around.set(bytes, 16)
  const inside = outcomeOf(around, 16, 16 + bytes.length)
  if (alone === undefined && inside === undefined) return false
  const difference = differenceOf(alone, inside)
  if (difference !== undefined) throw new Error(`the bytes around a payload matter: ${difference}`)
  checkSentAgain(alone?.value)
  return true
}

function checkSentAgain(value: unknown): void {
  const again = decodePayload(encodeThrown(value))
  const difference = differenceOf(value, again)
  if (difference !== undefined) throw new Error(`sent again, ${difference}`)
}

/** Objects of the engine that no payload may touch. */
const CLASSES: readonly { readonly prototype: object }[] = [
  Object,
  Array,
  Function,
  Map,
  Set,
  Date,
  RegExp,
  Uint8Array,
  Buffer,
  ArrayBuffer,
  Error,
  TypeError,
  AggregateError,
  DOMException,
  BunhouseError,
]

/** Describes all that a payload could have polluted; equal texts mean that nothing happened. */
export function fingerprint(): string {
  return CLASSES.map(({ prototype }) => Reflect.ownKeys(prototype).map(String).join()).join("\n")
}

function outcomeOf(
  bytes: Uint8Array,
  start: number,
  end: number,
): { readonly value: unknown } | undefined {
  try {
    return { value: decodePayload(bytes, start, end) }
  } catch (error) {
    if (error instanceof BunhouseError && error.code === "PROTOCOL_ERROR") return undefined
    throw error
  }
}

type Pick = (end: number) => number

function below(random: () => number): Pick {
  return (end) => Math.floor(random() * end)
}

function noise(pick: Pick): Uint8Array {
  return Uint8Array.from({ length: pick(64) }, () => pick(256))
}

/** Bytes that mean something to msgpack, to msgpackr or to this encoding. */
const TELLING = Buffer.from(
  "0001027f80818f90919fa0a1bfc0c1c4c6c7c9cacbcfd3d4d5d6d8d9dbdcdddedfe0ff426265697072737478",
  "hex",
)

function mutated(bytes: Uint8Array, pick: Pick): Uint8Array {
  const out = new Uint8Array(bytes)
  for (let changes = pick(4); changes >= 0 && out.length > 0; changes--) {
    const at = pick(out.length)
    const telling = TELLING[pick(TELLING.length)] ?? 0
    if (pick(3) === 0) out[at] = (out[at] ?? 0) ^ (1 << pick(8))
    else out[at] = pick(2) === 0 ? telling : pick(256)
  }
  return pick(6) === 0 ? out.subarray(0, pick(out.length + 1)) : out
}

/** The beginning of one valid payload and the end of another. */
function spliced(pick: Pick): Uint8Array {
  const left = validPayload(pick)
  const right = validPayload(pick)
  return bytesOf(left.subarray(0, pick(left.length)), right.subarray(pick(right.length)))
}

function validPayload(pick: Pick): Uint8Array {
  return CORPUS[pick(CORPUS.length)] ?? new Uint8Array(0)
}

/** Encoded values of every kind, with and without references. */
export const CORPUS: readonly Uint8Array[] = corpusValues().flatMap((value) => [
  encodeArgs([value]),
  encodeArgs([value, { again: value, list: [value, "text"] }]),
])

function corpusValues(): unknown[] {
  const cycle: Record<string, unknown> = { name: "cycle" }
  cycle["self"] = cycle
  const error = Object.assign(new TypeError("e", { cause: cycle }), { code: "E", ["\ud800"]: [1] })
  error.stack = "TypeError: e\n    at there"
  const bare: unknown = Object.setPrototypeOf({ a: 1 }, null)
  const scalars = [0, -0, 1.5, -200, 70_000, 2 ** 40, 10n ** 40n, -1n, true, null, undefined]
  const texts = ["text", "é".repeat(40), "x".repeat(300), "\ud800", "\ufefftext"]
  const objects = [bare, { constructor: 1, a: { b: [] } }, { a: 1, b: "c" }, new Date(5), /a(b)c/gi]
  const lists = [sparse(3, { 0: 1, 2: 3 }), sparse(9), new Map([[{}, [1]]]), new Set([{}])]
  const views = [new Uint8Array([1, 2, 3]), new Float64Array([1]), Buffer.from("b")]
  const errors = [error, new AggregateError([error, 1]), new DOMException("m", "AbortError")]
  return [
    ...scalars,
    ...texts,
    ...objects,
    ...lists,
    ...views,
    ...errors,
    new ArrayBuffer(4),
    cycle,
    new BunhouseError("OVERLOADED", "busy", { retryAfterMs: 5, env: "a" }),
    Array.from({ length: 40 }, (_, i) => ({ id: i, tags: ["a"], at: new Date(i) })),
    new Map<unknown, unknown>([
      [cycle, cycle],
      [new Map([["k", [cycle]]]), new Set([cycle])],
    ]),
  ]
}

const TEXTS = [
  "",
  "\u{1f600}",
  "x".repeat(70),
  ..."a - ff -ff gimsuy v ( Error AggregateError BunhouseError DOMException length".split(" "),
  ..."__proto__ constructor prototype record errors cause stack message code ran toString".split(
    " ",
  ),
]
const NUMBERS = [-1, 0, 1, 2, 3, 5, 1.5, 100, 101, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.NaN, 1e300]

/** A well-formed tree whose specials have any kind and any content. */
function randomTree(pick: Pick, depth: number): Part {
  const some = (): Part[] => Array.from({ length: pick(5) }, () => randomTree(pick, depth - 1))
  const someText = (): Part => text(TEXTS[pick(TEXTS.length)] ?? "")
  const kind = depth <= 0 ? pick(6) : pick(14)
  switch (kind) {
    case 0:
      return int(pick(20) - 4)
    case 1:
      return float(NUMBERS[pick(NUMBERS.length)] ?? 0)
    case 2:
    case 3:
      return someText()
    case 4:
      return [[0xc2], [0xc3], [NIL], [0xd4, 0, 0]][pick(4)] ?? NIL
    case 5:
      return special(pick(3) === 0 ? 2 : 0, pick(2) === 0 ? int(pick(12)) : someText())
    case 6:
      return list(...some())
    case 7:
      return map(...some().flatMap((item) => [someText(), item]))
    case 8:
      return special(
        8,
        int([pick(14), 100, 101][pick(3)] ?? 0),
        binary(...some().map(() => pick(256))),
      )
    case 9:
      return special(7, someText(), someText(), someText(), someText(), pairsOf(some(), someText))
    case 10:
      return special(
        9 + pick(2),
        pick(2) === 0 ? int(pick(9)) : 0xc3,
        pairsOf(some(), () => int(pick(9))),
      )
    default:
      return special(pick(13), ...some())
  }
}

function pairsOf(items: Part[], key: () => Part): Part {
  return list(...items.flatMap((item) => [key(), item]))
}
