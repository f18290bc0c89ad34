import { describe, expect, test } from "bun:test"
import * as fc from "fast-check"
import { paths } from "../../protocol/http.ts"
import { NAME_BYTES_MAX } from "../../protocol/limits.ts"
import { checkName, nameToken, splitAddress } from "../../protocol/names.ts"
import { refusal } from "../support/sent.ts"

const TOKEN = /^[a-z0-9_-]{1,34}$/

/** Names that mean something elsewhere, and are safe here. */
const SAFE = [
  ..."default a 0 A a.b * > a.*.> $SYS _INBOX - _ ~ ... é e\u0301 日本語 😀 👩‍👩‍👧‍👦".split(" "),
  ..."__proto__ constructor prototype then toString hasOwnProperty length con nul p-a".split(" "),
  ..."a};process.exit() ${x} ` ' \" \\ %2e%2e %00 % ? # a?b#c a&b=c .a a. ..a -rf --help <b> \ufeff".split(
    " ",
  ),
  " ",
  "a b",
  `h-${"0".repeat(32)}`,
  "a".repeat(32),
  "a".repeat(33),
  "a".repeat(NAME_BYTES_MAX),
  "é".repeat(NAME_BYTES_MAX / 2),
]

const anyName = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 60 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 60 }),
    fc.constantFrom(...SAFE),
    fc.stringMatching(/^[a-z0-9_-]{1,40}$/),
  )
  .filter((name) => isName(name))

function isName(name: unknown): boolean {
  try {
    checkName("env", name)
    return true
  } catch {
    return false
  }
}

describe("checkName()", () => {
  test.each(SAFE)("allows %p", (name) => {
    checkName("env", name)
    checkName("function", name)
  })

  test.each<[string, unknown]>([
    ["it is empty", ""],
    ["URLs give this name another meaning", "."],
    ["URLs give this name another meaning", ".."],
    ["it contains U+002F at position 0", "/"],
    ["it contains U+002F at position 1", "a/b"],
    ["it contains U+002F at position 2", "../../etc/passwd"],
    ["it contains U+000D at position 1", "a\r\nPUB x 1"],
    ["it contains U+000A at position 1", "a\nb"],
    ["it contains U+0000 at position 1", "a\0"],
    ["it contains U+0009 at position 0", "\t"],
    ["it contains U+001B at position 0", "\u001b[2J"],
    ["it contains U+007F at position 0", "\u007f"],
    ["it contains U+0085 at position 0", "\u0085"],
    ["it contains U+009B at position 0", "\u009b31m"],
    ["it contains U+2028 at position 1", "a\u2028b"],
    ["it contains U+2029 at position 1", "a\u2029b"],
    ["it contains U+202E at position 1", "a\u202eb"],
    ["it contains U+202A at position 0", "\u202aa"],
    ["it contains U+2066 at position 0", "\u2066a"],
    ["it contains U+200F at position 0", "\u200fa"],
    ["it contains U+200E at position 0", "\u200ea"],
    ["it contains U+061C at position 0", "\u061ca"],
    ["it is not well-formed Unicode", "\ud800"],
    ["it is not well-formed Unicode", "a\udc00b"],
    ["it is longer than 200 bytes", "a".repeat(NAME_BYTES_MAX + 1)],
    ["it is longer than 200 bytes", "é".repeat(NAME_BYTES_MAX / 2 + 1)],
    ["it is longer than 200 bytes", "x".repeat(4_096)],
    ["expected a string, got undefined", undefined],
    ["expected a string, got object", null],
    ["expected a string, got number", 7],
    ["expected a string, got object", ["a"]],
    ["expected a string, got object", Object.assign(Object.create(null), { toString: 1 })],
    ["expected a string, got symbol", Symbol("a")],
  ])("refuses a name: %s (N1)", (reason, name) => {
    const error = refusal("INVALID_ARGUMENT", () => checkName("env", name))
    expect(error.message).toEndWith(` cannot be the name of an env: ${reason}`)
    expect(error.ran).toBe("no")
    expect(refusal("INVALID_ARGUMENT", () => checkName("function", name)).message).toContain(
      "cannot be the name of a function: ",
    )
  })

  test("a message about a refused name is short and cannot forge a log line (N1)", () => {
    const bad = [
      "\u202e\u2066\u200f",
      "\u0085\u009b\u007f",
      "\u2028\u2029",
      "\r\n\0\u001b[2J",
      "\ud800",
    ]
    for (const part of bad) {
      for (const name of [part, part.repeat(30_000)]) {
        const { message } = refusal("INVALID_ARGUMENT", () => checkName("env", name))
        expect(message.length).toBeLessThan(500)
        expect(message).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029\p{Cs}]/u)
      }
    }
  })

  test("a name of a megabyte takes less than 5 ms", () => {
    refusal("INVALID_ARGUMENT", () => checkName("env", "warm up".repeat(100)))
    for (const unit of [" ", "a", "\ud800", "\u202e", "/", "é", "a-a-"]) {
      const name = unit.repeat(1_000_000)
      name.charCodeAt(0) // the engine puts repeated text together here, not while we measure
      const times = Array.from({ length: 5 }, () => {
        const start = performance.now()
        refusal("INVALID_ARGUMENT", () => checkName("env", name))
        return performance.now() - start
      })
      expect(Math.min(...times)).toBeLessThan(5)
    }
  })

  test("a name that passes keeps its meaning in a URL (N1)", () => {
    fc.assert(
      fc.property(anyName, anyName, (env, name) => {
        const { pathname, search, hash } = new URL(paths.call(env, name), "http://127.0.0.1:7420")
        const parts = pathname.split("/").map((part) => decodeURIComponent(part))
        expect(parts).toEqual(["", "v1", "envs", env, "functions", name, "call"])
        expect(search + hash).toBe("")
      }),
      { numRuns: 1_000 },
    )
  })

  test("a name that passes shows no control characters (N1)", () => {
    fc.assert(
      fc.property(anyName, (name) => !/[\p{Cc}\p{Bidi_Control}\u2028\u2029\p{Cs}]/u.test(name)),
      { numRuns: 1_000 },
    )
  })
})

describe("nameToken()", () => {
  test("is made of few characters and short, whatever the name (N2)", () => {
    for (const name of SAFE) expect(nameToken(name)).toMatch(TOKEN)
    fc.assert(
      fc.property(fc.oneof(anyName, fc.string({ unit: "binary", maxLength: 300 })), (name) =>
        TOKEN.test(nameToken(name)),
      ),
      { numRuns: 2_000 },
    )
  })

  test("is another one for every other name (N3)", () => {
    const seen = new Map<string, string>()
    const expectOwn = (name: string): void => {
      const token = nameToken(name)
      const other = seen.get(token) ?? name
      if (other !== name) throw new Error(`${JSON.stringify([name, other])} share ${token}`)
      seen.set(token, name)
    }
    for (const name of SAFE) expectOwn(name)
    // Names that imitate the tokens of others.
    for (const name of SAFE) {
      const token = nameToken(name)
      for (const imitation of [
        token,
        `p-${token}`,
        token.slice(2),
        token.toUpperCase(),
        `${token}\n`,
      ]) {
        expectOwn(imitation)
      }
    }
    fc.assert(fc.property(anyName, expectOwn), { numRuns: 5_000 })
    expect(seen.size).toBeGreaterThan(1_000)
  })

  test("is readable where the name is simple, and the same on every machine", () => {
    expect(nameToken("default")).toBe("p-default")
    expect(nameToken("ml_2-x")).toBe("p-ml_2-x")
    expect(nameToken("a".repeat(32))).toBe(`p-${"a".repeat(32)}`)
    expect(nameToken("a".repeat(33))).toBe(
      "h-" + new Bun.CryptoHasher("sha256").update("a".repeat(33)).digest("hex").slice(0, 32),
    )
    expect(nameToken("Default")).toMatch(/^h-[0-9a-f]{32}$/)
    expect(nameToken("default\n")).toMatch(/^h-/)
    expect(nameToken("")).toMatch(/^h-/)
  })
})

describe("splitAddress()", () => {
  test("splits at the slash; without one the env is the default", () => {
    expect(splitAddress("ml/predict")).toEqual({ env: "ml", function: "predict" })
    expect(splitAddress("predict")).toEqual({ env: "default", function: "predict" })
    expect(splitAddress("a b/c.d")).toEqual({ env: "a b", function: "c.d" })
  })

  test.each(["", "/", "a/", "/a", "a/b/c", "a//b", "./a", "a/..", "a\n/b", "../a"])(
    "refuses %p",
    (address) => {
      refusal("INVALID_ARGUMENT", () => splitAddress(address))
    },
  )
})
