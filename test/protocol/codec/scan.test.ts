import { describe, expect, test } from "bun:test"
import { decodePayload } from "../../../protocol/codec/index.ts"
import { scan } from "../../../protocol/codec/scan.ts"
import { ENCODED_DEPTH_MAX } from "../../../protocol/limits.ts"
import { CORPUS, fingerprint, isAccepted } from "../../support/hostile.ts"
import { growthOf, MIB } from "../../support/memory.ts"
import {
  binary,
  bytesOf,
  int,
  list,
  map,
  NIL,
  type Part,
  special,
  text,
  u32,
} from "../../support/msgpack.ts"
import { decoded, refusal } from "../../support/sent.ts"

const plain = (...parts: Part[]): Uint8Array => bytesOf(0, ...parts)

function expectRefused(bytes: Uint8Array, words = ""): void {
  expect(refusal("PROTOCOL_ERROR", () => decodePayload(bytes)).message).toContain(words)
  bytes[0] = 1
  refusal("PROTOCOL_ERROR", () => decodePayload(bytes))
}

describe("lengths (S1)", () => {
  test.each<[string, number[]]>([
    ["str 8", [0xd9, 0xff]],
    ["str 16", [0xda, 0xff, 0xff]],
    ["str 32", [0xdb, 0xff, 0xff, 0xff, 0xff]],
    ["bin 32", [0xc6, 0xff, 0xff, 0xff, 0xff]],
    ["array 16", [0xdc, 0xff, 0xff]],
    ["array 32", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["array 32 of 2^24 items", [0xdd, 1, 0, 0, 0]],
    ["map 16", [0xde, 0xff, 0xff]],
    ["map 32", [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ["ext 32", [0xc9, 0xff, 0xff, 0xff, 0xff, 1]],
    ["fixarray", [0x9f]],
    ["fixmap", [0x8f]],
    ["fixstr", [0xbf]],
  ])("a lone %s header is refused at once, without memory", (_, header) => {
    const bombs = [
      plain(header),
      plain(header, Array(12).fill(0)),
      plain(Array(300).fill(0x91), header),
      plain(list(header, header, header)),
      plain(special(6, header)),
      plain(Array(50).fill(header)),
    ]
    const start = performance.now()
    const growth = growthOf(() => {
      for (let i = 0; i < 20; i++) for (const bomb of bombs) expectRefused(bomb)
    })
    expect(growth).toBeLessThan(16 * MIB)
    expect(performance.now() - start).toBeLessThan(1_000)
  })

  test("arrays inside of arrays cannot promise the same bytes again and again", () => {
    // Each of the headers alone could be right; together they promise more than there is.
    const parts: number[] = []
    for (let left = 60_000; left > 600; left -= 200) parts.push(0xdd, ...bytesOf(u32(left)))
    const bomb = plain(parts, new Uint8Array(60_000))
    const growth = growthOf(() => expectRefused(bomb, "in the middle of a value"))
    expect(growth).toBeLessThan(16 * MIB)
  })

  test("the largest counts that are true are accepted", () => {
    expect(decodePayload(plain(0xdd, u32(70_000), new Uint8Array(70_000)))).toHaveLength(70_000)
    const entries = Array.from({ length: 70_000 }, (_, i) => [
      0xa5,
      ...Buffer.from(String(i).padStart(5, "0")),
      1,
    ])
    expect(Object.keys(decoded<object>(plain(0xdf, u32(70_000), entries)))).toHaveLength(70_000)
    expect(decodePayload(plain(0xdb, u32(5), Buffer.from("hello")))).toBe("hello")
  })

  test("a payload cut at any byte is refused", () => {
    for (const bytes of CORPUS) {
      for (let length = 0; length < bytes.length; length++) {
        refusal("PROTOCOL_ERROR", () => decodePayload(bytes.subarray(0, length)))
        // The missing bytes stand behind the end, where they must not be looked at.
        refusal("PROTOCOL_ERROR", () => decodePayload(bytes, 0, length))
      }
    }
  })

  test("bytes after the value are refused", () => {
    for (const bytes of CORPUS) {
      for (const extra of [0, 0xc0, 0xc1, 0x80]) expectRefused(bytesOf(bytes, extra))
    }
  })
})

describe("nesting (S2)", () => {
  const levels: [string, number[]][] = [
    ["arrays", [0x91]],
    ["maps", [0x81, 0xa0]],
    ["wide arrays", [0xdd, 0, 0, 0, 1]],
    ["specials", [0xd4, 1, 0, 0x91]],
    ["sets", [0xd4, 1, 0, 0x92, 6, 0x91]],
  ]

  test.each(levels)("of %s is refused where it gets too deep", (_, level) => {
    for (const depth of [ENCODED_DEPTH_MAX + 1, 5_000, 1_000_000]) {
      const bytes = plain(Buffer.alloc(level.length * depth, Buffer.from(level)), NIL)
      const start = performance.now()
      expectRefused(bytes, "deep")
      expect(performance.now() - start).toBeLessThan(500)
    }
  })

  test("of ENCODED_DEPTH_MAX levels is read", () => {
    const deepest = plain(Array(ENCODED_DEPTH_MAX).fill(0x91), NIL)
    expect(Bun.inspect(decodePayload(deepest))).toStartWith("[")
    deepest[0] = 1
    expect(decodePayload(deepest)).toHaveLength(1)
  })
})

describe("tokens (S3)", () => {
  test("of the extensions, only `undefined` and our own are known", () => {
    for (let type = 0; type <= 255; type++) {
      const forms = [
        [0xd4, type, 0],
        [0xd4, type, 0, 0x90],
        [0xd4, type, 0, 0x91, 1],
        [0xd4, type, 7],
        [0xd5, type, 0, 0],
        [0xd6, type, 0, 0, 0, 0],
        [0xd7, type, ...Buffer.alloc(8)],
        [0xd8, type, ...Buffer.alloc(16)],
        [0xc7, 1, type, 0],
        [0xc7, 0, type],
        [0xc8, 0, 1, type, 0],
        [0xc9, 0, 0, 0, 1, type, 0],
        [0xc7, 3, type, 0x91, 0x91, 1],
      ]
      for (const form of forms) {
        const isKnown = type === 0 && form.length === 3 && form[0] === 0xd4 && form[2] === 0
        if (isKnown) expect(decodePayload(plain(form))).toBeUndefined()
        else if (type !== 1 || form[0] !== 0xd4 || form[4] !== 1) expectRefused(plain(form))
        expectRefused(plain(0x92, form, 0xc1))
      }
    }
  })

  test("what msgpackr alone understands is not reachable", () => {
    const name = [0xa4, ...Buffer.from("name")]
    // Records, bundled strings, pointers, errors, expressions, sets, typed arrays, big integers, dates.
    expectRefused(plain(0xd4, 0x72, 0x40, 0x91, name, 1))
    expectRefused(plain(0x92, [0xd4, 0x72, 0x40, 0x91, name, 1], 0x40))
    expectRefused(plain(0xd6, 0x62, u32(4), NIL))
    expectRefused(plain(0xd6, 0x69, u32(1), 0x90))
    expectRefused(plain(0xd6, 0x70, u32(1)))
    expectRefused(plain(0xd4, 0x65, 0, 0x92, name, name))
    expectRefused(plain(0xd4, 0x78, 0, 0x92, name, 0xa1, 0x67))
    expectRefused(plain(0xc7, 9, 0x42, Array(9).fill(0xff)))
    expectRefused(plain(0xd6, 0xff, u32(1)))
    // Tokens from 0x40 mean records only where records were defined.
    expect(decodePayload(plain(0x92, 0x40, 0x7f))).toEqual([0x40, 0x7f])
  })

  test.each([0xc1, 0xca, 0xcf, 0xd3, 0xd5, 0xd6, 0xd7, 0xd8, 0xc7, 0xc8, 0xc9])(
    "the token %i is not used by this encoding",
    (token) => expectRefused(plain(0x91, token, Array(20).fill(0))),
  )

  test("any single token is refused or is a value", () => {
    for (let token = 0; token <= 255; token++) {
      for (let length = 0; length <= 20; length++) isAccepted(plain(token, Array(length).fill(0)))
    }
  })
})

describe("keys (S4)", () => {
  test.each<[string, Part[]]>([
    ["a number", [1]],
    ["nil", [NIL]],
    ["a list", [list(text("a"))]],
    ["a map", [map()]],
    ["bytes", [binary(1)]],
    ["a special", [special(1)]],
    ["undefined", [0xd4, 0, 0]],
  ])("%s as a key is refused", (_, key) => {
    expectRefused(plain(0x81, key, 1), "key of an object")
    expectRefused(plain(map(text("a"), 1, key, 2)), "key of an object")
    expectRefused(plain(list(map(text("a"), map(key, 1)))), "key of an object")
  })

  test("text of every header is a key, and text may be a value as well", () => {
    for (const key of [
      [0xa1, 0x61],
      [0xd9, 1, 0x61],
      [0xda, 0, 1, 0x61],
      [0xdb, 0, 0, 0, 1, 0x61],
    ]) {
      expect(decodePayload(plain(0x81, key, key))).toEqual({ a: "a" })
    }
  })

  test("`__proto__` as a key changes no prototype", () => {
    const clean = fingerprint()
    const evil = map(text("polluted"), 1)
    const received = decoded<object>(plain(map(text("__proto__"), evil, text("constructor"), evil)))
    expect(Object.getPrototypeOf(received)).toBe(Object.prototype)
    expect({}).not.toHaveProperty("polluted")
    expect(fingerprint()).toBe(clean)
  })
})

describe("specials (S5)", () => {
  test.each<[string, Part[]]>([
    ["nothing", []],
    ["a number", [6]],
    ["text", [text("a")]],
    ["a map", [0x80]],
    ["a list of more parts than there can be", [0xdc, 0, 2, 1, NIL]],
    ["another special", [special(1)]],
    // By its low bits this might be six items; to msgpackr it is an extension that hands out the list behind it.
    ["an extension that hands out a list", [0xd6, 0x69, 0, 0, 0, 0, 0x91, 1]],
  ])("%s as the content of a special is refused", (_, content) => {
    expectRefused(plain(0xd4, 1, 0, content))
    expectRefused(plain(0x91, 0xd4, 1, 0, content))
  })

  test("binary data that stands by itself is refused", () => {
    for (const bytes of [
      [0xc4, 1, 7],
      [0xc5, 0, 1, 7],
      [0xc6, 0, 0, 0, 1, 7],
    ]) {
      expectRefused(plain(bytes), "binary data")
      expectRefused(plain(list(bytes)), "binary data")
      expectRefused(plain(map(text("a"), bytes)), "binary data")
      expectRefused(plain(special(6, list(bytes))), "binary data")
    }
    // An object walk over seven million bytes would take a key for each of them.
    const large = bytesOf(1, 0xc6, u32(7_000_000), new Uint8Array(7_000_000))
    expect(growthOf(() => refusal("PROTOCOL_ERROR", () => decodePayload(large)))).toBeLessThan(
      16 * MIB,
    )
  })
})

describe("scan()", () => {
  test("accepts everything that the encoder writes, within its bounds only", () => {
    for (const bytes of CORPUS) {
      scan(bytes, 1, bytes.length)
      const around = bytesOf(0xc1, bytes, 0xc1)
      scan(around, 2, around.length - 1)
    }
  })

  test("leaves nothing behind: a refused payload does not change how the next one is read", () => {
    const deep = plain(map(text("a"), list(map(text("b"), 0xc1))))
    for (const bytes of CORPUS.slice(0, 40)) {
      expectRefused(deep.slice())
      scan(bytes, 1, bytes.length)
    }
  })
})

test("a number of every width is read, also where the encoder would write it shorter", () => {
  const five = [[5], [0xcc, 5], [0xcd, 0, 5], [0xce, 0, 0, 0, 5], [0xd0, 5], [0xd1, 0, 5], int(5)]
  expect(decodePayload(plain(list(...five)))).toEqual([5, 5, 5, 5, 5, 5, 5])
})
