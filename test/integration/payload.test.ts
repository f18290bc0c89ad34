import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Remote } from "../../client/index.ts"
import { PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { ask, pathOf } from "../support/http.ts"
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
  test("just under the limit arrive, in each way of calling", async () => {
    const bytes = new Uint8Array(FITS)
    expect(await measure(bytes)).toBe(FITS)
    expect(await measureSync.async(bytes)).toBe(FITS)
    expect(measure.sync(bytes)).toBe(FITS)
    expect(measureSync(bytes)).toBe(FITS)
  })

  test("over the limit are refused before they are sent, in each way of calling", async () => {
    const bytes = new Uint8Array(TOO_MUCH)
    for (const call of [
      () => measure(bytes),
      () => measure.sync(bytes),
      () => measureSync(bytes),
      () => measureSync.async(bytes),
    ]) {
      const error = await caught(call)
      expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "no" })
      expect(error.message).toContain(String(PAYLOAD_BYTES_MAX))
    }
  })

  test("many large ones at once all arrive", async () => {
    const bytes = new Uint8Array(3_000_000)
    const lengths = await Promise.all(Array.from({ length: 20 }, () => measure(bytes)))
    expect(new Set(lengths)).toEqual(new Set([3_000_000]))
  })
})

describe("a result", () => {
  test("just under the limit arrives, from the loop and from a thread", async () => {
    for (const call of [
      () => make(FITS),
      () => makeSync.async(FITS),
      () => make.sync(FITS),
      () => makeSync(FITS),
    ]) {
      expect(await call()).toHaveLength(FITS)
    }
  })

  test("over the limit is an error that says that the function ran", async () => {
    for (const call of [
      () => make(TOO_MUCH),
      () => makeSync.async(TOO_MUCH),
      () => make.sync(TOO_MUCH),
      () => makeSync(TOO_MUCH),
    ]) {
      expect(await caught(call)).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "yes" })
    }
    expect(await make(3)).toHaveLength(3)
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
  test("over the limit is answered with 413, and nothing runs", async () => {
    const path = pathOf("default", "measure", "/call")
    const limit = 16 * 1024 * 1024
    const { status } = await ask(stack, "POST", path, { body: new Uint8Array(limit + 1) })
    expect(status).toBe(413)
    const large = `["${"x".repeat(PAYLOAD_BYTES_MAX + 10_000)}"]`
    const answer = await ask(stack, "POST", path, { body: large })
    expect(answer.status).toBe(413)
    expect(answer.json).toMatchObject({ error: { code: "PAYLOAD_TOO_LARGE", ran: "no" } })
  })
})
