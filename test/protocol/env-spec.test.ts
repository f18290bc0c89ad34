import { describe, expect, test } from "bun:test"
import { readEnvSpec, sameEnvSpec } from "../../protocol/env-spec.ts"
import {
  ENV_CONCURRENCY_DEFAULT,
  ENV_QUEUE_DEFAULT,
  ENV_THREADS_MAX_DEFAULT,
} from "../../protocol/limits.ts"
import { refusal } from "../support/sent.ts"

const DEFAULTS = {
  concurrency: ENV_CONCURRENCY_DEFAULT,
  threads: { max: ENV_THREADS_MAX_DEFAULT },
  queue: ENV_QUEUE_DEFAULT,
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
    [{ concurency: 1 }, 'has the unknown field "concurency" (known: concurrency, threads, queue)'],
    [JSON.parse('{"__proto__": {"concurrency": 1}}'), 'has the unknown field "__proto__"'],
  ])("refuses %j", (input, words) => {
    expect(refusal("INVALID_ARGUMENT", () => readEnvSpec("ml", input)).message).toContain(words)
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
