import { describe, expect, test } from "bun:test"
import { readEnvSpec, sameEnvSpec, sameProcess, shownEnvSpec } from "../../protocol/env-spec.ts"
import { withoutSecrets } from "../../protocol/env-vars.ts"
import {
  CALL_TIMEOUT_MS_DEFAULT,
  ENV_CONCURRENCY_DEFAULT,
  ENV_QUEUE_DEFAULT,
  ENV_PAYLOAD_MIB_DEFAULT,
  ENV_THREADS_MAX_DEFAULT,
  LOOP_BLOCK_MS_DEFAULT,
} from "../../protocol/limits.ts"
import { refusal } from "../support/sent.ts"

const DEFAULTS = {
  concurrency: ENV_CONCURRENCY_DEFAULT,
  threads: { max: ENV_THREADS_MAX_DEFAULT },
  queue: ENV_QUEUE_DEFAULT,
  packages: {},
  vars: {},
  bunArgs: [],
  setup: [],
  timeoutMs: CALL_TIMEOUT_MS_DEFAULT,
  loopBlockMs: LOOP_BLOCK_MS_DEFAULT,
  payloadMiB: ENV_PAYLOAD_MIB_DEFAULT,
}

describe("readEnvSpec()", () => {
  test("fills in what was left open", () => {
    expect(readEnvSpec("ml", {})).toEqual(DEFAULTS)
    expect(readEnvSpec("ml", { threads: {} })).toEqual(DEFAULTS)
    expect(readEnvSpec("ml", { concurrency: undefined, queue: 0 })).toEqual({
      ...DEFAULTS,
      queue: 0,
    })
    expect(readEnvSpec("ml", { threads: { max: 3 } })).toEqual({ ...DEFAULTS, threads: { max: 3 } })
  })

  test("what it read once it reads again as the same", () => {
    const spec = readEnvSpec("ml", { concurrency: 5, threads: { max: 2 }, queue: 7 })
    expect(readEnvSpec("ml", JSON.parse(JSON.stringify(spec)))).toEqual(spec)
  })

  test.each<[unknown, string]>([
    [null, 'expected the spec of env "ml" to be an object, got null'],
    [[], 'expected the spec of env "ml" to be an object, got []'],
    [
      { concurrency: 0 },
      'the spec of env "ml": expected concurrency to be a whole number from 1 to 1000000, got 0',
    ],
    [{ concurrency: 1.5 }, "from 1 to 1000000, got 1.5"],
    [{ concurrency: "8" }, 'got "8"'],
    [{ concurrency: null }, "got null"],
    [{ queue: -1 }, "expected queue to be a whole number from 0 to 1000000, got -1"],
    [{ threads: 4 }, 'expected the spec of env "ml": threads to be an object, got 4'],
    [
      { threads: { max: 1_025 } },
      'the spec of env "ml": threads: expected max to be a whole number from 1 to 1024',
    ],
    [{ threads: { min: 1 } }, 'threads has the unknown field "min" (known: max)'],
    [{ concurency: 1 }, 'has the unknown field "concurency" (known: '],
    [JSON.parse('{"__proto__": {"concurrency": 1}}'), 'has the unknown field "__proto__"'],
  ])("refuses %j", (input, words) => {
    expect(refusal("INVALID_ARGUMENT", () => readEnvSpec("ml", input)).message).toContain(words)
  })
})

describe("readEnvSpec() of packages", () => {
  test("takes a record or a list, and gives one record in order", () => {
    const packages = { "@img/sharp": "^1.0.0", "is-odd": "3.0.1", lodash: "latest" }
    expect(readEnvSpec("ml", { packages }).packages).toEqual(packages)
    const list = ["lodash", "is-odd@3.0.1", "@img/sharp@^1.0.0"]
    expect(readEnvSpec("ml", { packages: list }).packages).toEqual(packages)
    expect(Object.keys(readEnvSpec("ml", { packages: list }).packages)).toEqual(
      Object.keys(packages),
    )
    const alias = { odd: "npm:is-odd@>=3.0.0 <4", scoped: "npm:@a/b@next" }
    expect(readEnvSpec("ml", { packages: alias }).packages).toEqual(alias)
  })

  test.each<[unknown]>([
    ["is-odd"],
    [{ "is-odd": 3 }],
    [["is-odd@"]],
    [["--flag"]],
    [["-g"]],
    [["../up"]],
    [["."]],
    [["a b"]],
    [["is-odd@3", "is-odd@4"]],
    [["bunhouse"]],
    [[3]],
    [{ "": "1" }],
    [{ __proto__x: "1" }],
    [{ "is-odd": "file:/etc" }],
    [{ "is-odd": "link:x" }],
    [{ "is-odd": "workspace:*" }],
    [{ "is-odd": "git+https://example.com/x.git" }],
    [{ "is-odd": "https://example.com/x.tgz" }],
    [{ "is-odd": "user/repo" }],
    [{ "is-odd": "github:user/repo" }],
    [{ "is-odd": "x.tgz" }],
    [{ "is-odd": "../x" }],
    [{ "is-odd": "--global" }],
    [{ "is-odd": "npm:../x@1" }],
    [{ "is-odd": "npm:x@file:/etc" }],
    [{ "is-odd": "1\n2" }],
    [Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`p${i}`, "1"]))],
  ])("refuses %j", (packages) => {
    const { message } = refusal("INVALID_ARGUMENT", () => readEnvSpec("ml", { packages }))
    expect(message).toStartWith('the spec of env "ml": ')
  })
})

describe("readEnvSpec() of variables", () => {
  test("keeps secrets apart from what may be shown", () => {
    const vars = { KEY: { secret: "s3cret" }, MODE: "x", EMPTY: "" }
    const spec = readEnvSpec("ml", { vars })
    expect(spec.vars).toEqual(vars)
    expect(shownEnvSpec(spec).vars).toEqual({ KEY: { secret: true }, MODE: "x", EMPTY: "" })
    // What is shown is no spec: a secret cannot become the word for one.
    refusal("INVALID_ARGUMENT", () => readEnvSpec("ml", shownEnvSpec(spec)))
  })

  test.each<[unknown]>([
    [["MODE=x"]],
    ["MODE=x"],
    [{ MODE: 1 }],
    [{ MODE: null }],
    [{ KEY: { secret: 1 } }],
    [{ KEY: { secret: "canary", more: 1 } }],
    [{ KEY: { Secret: "canary" } }],
    [{ KEY: ["canary"] }],
    [{ "": "canary" }],
    [{ "A=B": "canary" }],
    [{ "A\nB": "canary" }],
    [{ "A\0B": "canary" }],
    [{ "1A": "canary" }],
    [{ A: "canary\0" }],
    [{ BUNHOUSE_HOME: "canary" }],
    [{ BUN_OPTIONS: "canary" }],
    [{ NODE_CHANNEL_FD: "canary" }],
    [{ A: "canary".repeat(20_000) }],
  ])("refuses %j, and never shows a value", (vars) => {
    const { message } = refusal("INVALID_ARGUMENT", () => readEnvSpec("ml", { vars }))
    expect(message).not.toContain("canary")
  })

  test("withoutSecrets() blots secrets out, also of many lines, and one within another", () => {
    const vars = {
      A: { secret: "abc" },
      B: { secret: "abcdef" },
      KEY: { secret: "-----BEGIN\n0123456789\nend" },
      OPEN: "shown",
      NONE: { secret: "" },
    }
    expect(withoutSecrets(vars, "abcdef abc shown")).toBe("*** *** shown")
    expect(withoutSecrets(vars, "a line 0123456789 of it")).toBe("a line *** of it")
  })
})

describe("readEnvSpec() of the process", () => {
  test("takes what is sound", () => {
    const spec = {
      cwd: "/data/",
      memoryMiB: 512,
      bunArgs: ["--smol", "--conditions=worker"],
      setup: ["bun", "run", "build"],
    }
    expect(readEnvSpec("ml", spec)).toMatchObject(spec)
    expect(readEnvSpec("ml", { setup: "a && b" }).setup).toEqual(["/bin/sh", "-c", "a && b"])
    const again = readEnvSpec("ml", { setup: "a && b" })
    expect(readEnvSpec("ml", JSON.parse(JSON.stringify(again)))).toEqual(again)
  })

  test.each<[unknown]>([
    [{ cwd: "relative" }],
    [{ cwd: "" }],
    [{ cwd: "/a\0b" }],
    [{ cwd: 1 }],
    [{ memoryMiB: 0.5 }],
    [{ memoryMiB: 15 }],
    [{ memoryMiB: "512" }],
    [{ bunArgs: "--smol" }],
    [{ bunArgs: [1] }],
    [{ bunArgs: ["--watch"] }],
    [{ bunArgs: ["--hot"] }],
    [{ bunArgs: ["--eval=1"] }],
    [{ bunArgs: ["-e", "1"] }],
    [{ bunArgs: ["--no-orphans"] }],
    [{ bunArgs: ["--inspect"] }],
    [{ bunArgs: ["--cwd=/"] }],
    [{ bunArgs: ["--preload"] }],
    [{ bunArgs: ["--preload="] }],
    [{ bunArgs: ["script.ts"] }],
    [{ bunArgs: ["--smol\0"] }],
    [{ setup: "" }],
    [{ setup: [""] }],
    [{ setup: [1] }],
    [{ setup: { run: "x" } }],
    [{ setup: ["a\0"] }],
    [{ files: "/a/folder" }],
    [{ files: { version: "x", bytes: 1, count: 1 } }],
    [{ files: { version: "0".repeat(64), bytes: 1, count: 1 }, cwd: "/tmp" }],
  ])("refuses %j", (input) => {
    refusal("INVALID_ARGUMENT", () => readEnvSpec("ml", input))
  })
})

describe("sameProcess()", () => {
  test("is about what a process is started with, not about what the daemon counts and watches", () => {
    const spec = readEnvSpec("ml", {})
    const limits = { concurrency: 1, queue: 1, memoryMiB: 99, threads: { max: 1 } }
    expect(sameProcess(spec, { ...spec, ...limits })).toBe(true)
    const files = { version: "0".repeat(64), bytes: 1, count: 1 }
    for (const change of [
      { packages: { a: "1" } },
      { vars: { A: "1" } },
      { cwd: "/tmp" },
      { files },
      { bunArgs: ["--smol"] },
      { setup: ["true"] },
    ]) {
      expect(sameProcess(spec, { ...spec, ...change })).toBe(false)
    }
  })
})

describe("sameEnvSpec()", () => {
  test("compares every field", () => {
    const spec = readEnvSpec("ml", {})
    expect(sameEnvSpec(spec, readEnvSpec("other", {}))).toBe(true)
    expect(sameEnvSpec(spec, { ...spec, queue: 1 })).toBe(false)
    expect(sameEnvSpec(spec, { ...spec, concurrency: 1 })).toBe(false)
    expect(sameEnvSpec(spec, { ...spec, threads: { max: 1 } })).toBe(false)
  })
})
