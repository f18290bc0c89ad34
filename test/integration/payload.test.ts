import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Remote } from "../../client/index.ts"
import { BODY_BYTES_MAX, PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { ask } from "../support/http.ts"
import { type Stack, startStack } from "../support/stack.ts"

/** What the encoding adds to one array of bytes is less than this. */
const OVERHEAD_BYTES = 64
const FITS = PAYLOAD_BYTES_MAX - OVERHEAD_BYTES
const TOO_MUCH = PAYLOAD_BYTES_MAX + 1

type Measure = (x: Uint8Array) => unknown
type Make = (length: number) => unknown

let stack: Stack
let measure: Remote<Measure>
let measureSync: Remote<Measure>
let make: Remote<Make>
let makeSync: Remote<Make>

beforeAll(async () => {
  stack = await startStack()
  measure = await fn(async (x: Uint8Array) => x.length, { name: "measure" }).to(stack.here)
  measureSync = await fn((x: Uint8Array) => x.length, { name: "measureSync" }).to(stack.here)
  make = await fn(async (length: number) => new Uint8Array(length), { name: "make" }).to(stack.here)
  makeSync = await fn((n: number) => new Uint8Array(n), { name: "makeSync" }).to(stack.here)
})
afterAll(async () => {
  expect(await stack.log()).not.toContain("uncaught")
  expect(await stack.here.status()).toMatchObject({ callsInFlight: 0 })
  await stack[Symbol.asyncDispose]()
})

describe("arguments", () => {
  test("that just fit a frame arrive, and those that just do not, in each way of calling", async () => {
    for (const length of [FITS, TOO_MUCH]) {
      const bytes = new Uint8Array(length)
      expect(await measure(bytes)).toBe(length)
      expect(await measureSync.async(bytes)).toBe(length)
      expect(measure.sync(bytes)).toBe(length)
      expect(measureSync(bytes)).toBe(length)
    }
  })

  test("many large ones at once all arrive", async () => {
    const bytes = new Uint8Array(3_000_000)
    const lengths = await Promise.all(Array.from({ length: 20 }, () => measure(bytes)))
    expect(new Set(lengths)).toEqual(new Set([3_000_000]))
  })
})

describe("a result", () => {
  test("that just fits a frame arrives, and one that just does not, from the loop and from a thread", async () => {
    for (const length of [FITS, TOO_MUCH]) {
      expect(await make(length)).toHaveLength(length)
      expect(await makeSync.async(length)).toHaveLength(length)
      expect(make.sync(length)).toHaveLength(length)
      expect(makeSync(length)).toHaveLength(length)
    }
  })

  test("many large ones at once all arrive", async () => {
    const results = await Promise.all(Array.from({ length: 20 }, () => make(3_000_000)))
    for (const result of results) expect(result).toHaveLength(3_000_000)
  })
})

describe("an error that is thrown", () => {
  test("with more than can be sent arrives as what can be said of it", async () => {
    const boom = await fn(
      async (length: number) => {
        throw Object.assign(new RangeError("large"), { data: "x".repeat(length) })
      },
      { name: "boom" },
    ).to(stack.here)
    const error: unknown = await boom(TOO_MUCH).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: "RangeError", message: "large" })
  })
})

describe("a body", () => {
  test("of a request that is no call is refused with 413 beyond its limit, and nothing is done", async () => {
    const { status, json } = await ask(stack, "PUT", "/v1/envs/unmade", {
      body: new Uint8Array(BODY_BYTES_MAX + 1),
    })
    expect(status).toBe(413)
    expect(json).toMatchObject({ error: { code: "PAYLOAD_TOO_LARGE", ran: "no" } })
    expect(await stack.here.env("unmade").status()).toBeUndefined()
  })
})
