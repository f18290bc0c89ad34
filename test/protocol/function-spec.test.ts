import { describe, expect, test } from "bun:test"
import {
  checkCodeSize,
  type FunctionSpec,
  readFunctionInfo,
  readFunctionSpec,
  versionOf,
  withMap,
} from "../../protocol/function-spec.ts"
import { SOURCE_BYTES_MAX } from "../../protocol/limits.ts"
import { refusal } from "../support/sent.ts"

const SENT = { kind: "async", run: "loop", code: "export default async () => 1" }

describe("readFunctionSpec()", () => {
  test("reads what a client sends", () => {
    const read: unknown = readFunctionSpec("ml", "f", SENT)
    expect(read).toEqual({ ...SENT, env: "ml", name: "f" })
    expect(
      readFunctionSpec("a b", "constructor", { ...SENT, kind: "sync", run: "thread" }).run,
    ).toBe("thread")
  })

  test.each<[string, string, unknown, string]>([
    ["", "f", SENT, "cannot be the name of an env"],
    ["ml", "..", SENT, "cannot be the name of a function"],
    ["ml", "a/b", SENT, "cannot be the name of a function"],
    ["ml", "f", null, 'expected the function "ml/f" to be an object'],
    [
      "ml",
      "f",
      {},
      'the function "ml/f": expected kind to be one of "async", "sync", "asyncGenerator", "syncGenerator", "class", got nothing',
    ],
    ["ml", "f", { ...SENT, kind: "generator" }, 'got "generator"'],
    ["ml", "f", { ...SENT, run: "auto" }, 'expected run to be one of "loop", "thread", got "auto"'],
    ["ml", "f", { ...SENT, code: undefined }, "expected code to be a string, got nothing"],
    ["ml", "f", { ...SENT, code: 1 }, "expected code to be a string, got 1"],
    ["ml", "f", { ...SENT, env: "other" }, 'has the unknown field "env"'],
    ["ml", "f", { ...SENT, version: "1" }, 'has the unknown field "version"'],
  ])("refuses %p, %p, %j", (env, name, input, words) => {
    expect(refusal("INVALID_ARGUMENT", () => readFunctionSpec(env, name, input)).message).toContain(
      words,
    )
  })

  test("refuses code over the limit in bytes, and not at the limit", () => {
    const fitting = { ...SENT, code: "é".repeat(SOURCE_BYTES_MAX / 2) }
    expect(readFunctionSpec("ml", "f", fitting).code).toHaveLength(SOURCE_BYTES_MAX / 2)
    const { message } = refusal("PAYLOAD_TOO_LARGE", () =>
      readFunctionSpec("ml", "f", { ...SENT, code: `${fitting.code}x` }),
    )
    expect(message).toBe(
      `the code of ml/f takes ${SOURCE_BYTES_MAX + 1} bytes, over the limit of ${SOURCE_BYTES_MAX}: put large packages into the env's spec, packages, so that they do not travel`,
    )
  })
})

describe("readFunctionInfo()", () => {
  const info = { env: "ml", name: "f", kind: "sync", run: "thread", version: "0123" }

  test("reads a record, and ignores what newer peers add", () => {
    for (const input of [info, { ...info, since: 1 }]) {
      const read: unknown = readFunctionInfo(input)
      expect(read).toEqual(info)
    }
  })

  test.each([
    { env: "a/b" },
    { name: "" },
    { name: "a\nb" },
    { kind: "slow" },
    { run: "" },
    { version: 1 },
  ])(
    "refuses %j",
    (wrong) => void refusal("INVALID_ARGUMENT", () => readFunctionInfo({ ...info, ...wrong })),
  )
})

describe("versionOf()", () => {
  const spec = readFunctionSpec("ml", "f", SENT)

  test("is the same for the same code, kind and place, whatever the name", () => {
    expect(versionOf(spec)).toBe(versionOf(readFunctionSpec("other", "g", { ...SENT })))
    expect(versionOf(spec)).toMatch(/^[0-9a-f]{16}$/)
    // Pinned: versions are compared between machines and over restarts.
    expect(versionOf(spec)).toBe("988bcb2084cfb541")
  })

  test("is another one for other code, kind or place", () => {
    const others: FunctionSpec[] = [
      spec,
      { ...spec, kind: "sync" },
      { ...spec, run: "thread" },
      { ...spec, code: `${spec.code} ` },
      { ...spec, code: `loop\n${spec.code}` },
      { ...spec, code: "" },
    ]
    expect(new Set(others.map(versionOf)).size).toBe(others.length)
  })
})

describe("withMap()", () => {
  const spec = readFunctionSpec("ml", "f", { ...SENT, code: `${SENT.code}\n` })
  const START = "//# sourceMappingURL=data:application/json;base64,"

  test("adds a last line that is no part of the version", () => {
    const code = withMap(spec.code, JSON.stringify({ version: 3, sources: ["/ü.ts"] }))
    expect(code.split("\n")).toEqual([SENT.code, expect.stringContaining(START), ""])
    expect(versionOf({ ...spec, code })).toBe(versionOf(spec))
    expect(versionOf({ ...spec, code: withMap(spec.code, "{}") })).toBe(versionOf(spec))
  })

  test("hides nothing that is run: what merely looks like a map is part of the version", () => {
    const codes = [
      spec.code,
      `${spec.code}${START}e30=\n;evil()`,
      `${spec.code}${START}e30=\n/**/\n`,
      `${spec.code}${START}e30= \n`,
      `${spec.code}${START}e30=\u2028evil()`,
      `${spec.code}${START}e30=\revil()`,
      `${spec.code};${START}e30=\n`,
      `${spec.code}${START}e30=\n${START}e30=\n`,
    ]
    expect(new Set(codes.map((code) => versionOf({ ...spec, code }))).size).toBe(codes.length)
  })
})

test("checkCodeSize() counts bytes", () => {
  const spec = readFunctionSpec("ml", "f", SENT)
  checkCodeSize({ ...spec, code: "x".repeat(SOURCE_BYTES_MAX) })
  refusal("PAYLOAD_TOO_LARGE", () =>
    checkCodeSize({ ...spec, code: "€".repeat(SOURCE_BYTES_MAX / 2) }),
  )
})
