import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { cls, fn, type Remote } from "../../client/index.ts"
import { ENV_PAYLOAD_MIB_DEFAULT } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { ask, pathOf } from "../support/http.ts"
import { MIB } from "../support/memory.ts"
import { noise, sameBytes } from "../support/noise.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Over what fits one frame, and not a multiple of a part. */
const LARGE = 9 * MIB + 12_345
const TOO_MUCH = ENV_PAYLOAD_MIB_DEFAULT * MIB + 1

type Echo = (x: Uint8Array) => Uint8Array

let stack: Stack
let echo: Remote<(x: Uint8Array) => Promise<Uint8Array>>
let echoSync: Remote<Echo>
let make: Remote<(bytes: number) => Promise<Uint8Array>>

beforeAll(async () => {
  stack = await startStack()
  echo = await fn(async (x: Uint8Array) => x, { name: "echo" }).to(stack.here)
  echoSync = await fn((x: Uint8Array) => x, { name: "echoSync" }).to(stack.here)
  make = await fn(async (bytes: number) => new Uint8Array(bytes).fill(7), { name: "make" }).to(
    stack.here,
  )
})
afterAll(async () => {
  expect(await stack.log()).not.toContain("uncaught")
  await until(async () => (await stack.here.status()).callsInFlight === 0, "no call is left")
  await stack[Symbol.asyncDispose]()
})

describe("values larger than a frame", () => {
  const value = noise(LARGE)

  test("arrive as sent and come back, in each way of calling", async () => {
    expect(sameBytes(await echo(value), value)).toBe(true)
    expect(sameBytes(await echoSync.async(value), value)).toBe(true)
    expect(sameBytes(echo.sync(value), value)).toBe(true)
    expect(sameBytes(echoSync(value), value)).toBe(true)
  })

  test("by a resident thread", async () => {
    using resident = stack.connect({ blocking: "resident" })
    const echoed = await resident.get<(x: Uint8Array) => Promise<Uint8Array>>("echo")
    expect(sameBytes(echoed.sync(value), value)).toBe(true)
  })

  test("are whole graphs: shared objects stay shared", async () => {
    const shared = { text: "x".repeat(LARGE) }
    const echoAny = await fn(async (x: unknown) => x, { name: "echoAny" }).to(stack.here)
    const back = await echoAny([shared, shared])
    expect(back).toEqual([shared, shared])
    expect(Array.isArray(back) && back[0] === back[1]).toBe(true)
  })

  test("go to methods of instances, on the loop and on a thread", async () => {
    class Kept {
      #value: Uint8Array = new Uint8Array()
      async keep(kept: Uint8Array) {
        this.#value = kept
      }
      async kept() {
        return this.#value
      }
    }
    class KeptOnThread {
      #value: Uint8Array = new Uint8Array()
      keep(kept: Uint8Array) {
        this.#value = kept
      }
      kept() {
        return this.#value
      }
    }
    await using onLoop = await (await cls(Kept).to(stack.here)).create()
    await onLoop.keep(value)
    expect(sameBytes(await onLoop.kept(), value)).toBe(true)
    await using onThread = await (await cls(KeptOnThread).to(stack.here)).create()
    await onThread.async.keep(value)
    expect(sameBytes(await onThread.async.kept(), value)).toBe(true)
  })

  test("go from function to function", async () => {
    const outer = await fn(
      async (x: Uint8Array) => {
        const { context } = await import("bunhouse")
        const inner = await context().here.get<(x: Uint8Array) => Promise<Uint8Array>>("far/echo")
        return (await inner(x)).length
      },
      { name: "outer" },
    ).to(stack.here)
    await fn(async (x: Uint8Array) => x, { name: "echo" }).to(stack.here.env("far"))
    expect(await outer(value)).toBe(LARGE)
  })

  test("are arguments of generators", async () => {
    const pieces = await fn(
      async function* (x: Uint8Array) {
        for (let at = 0; at < x.length; at += 4 * 1024 * 1024) yield x.length - at
      },
      { name: "pieces" },
    ).to(stack.here)
    expect(await Array.fromAsync(pieces(value))).toHaveLength(3)
    expect(Array.from(pieces.sync(value))).toHaveLength(3)
  })

  test("many at once, with small calls between them", async () => {
    const large = Array.from({ length: 12 }, () => echo(value))
    const small = await Promise.all(Array.from({ length: 100 }, () => echo(new Uint8Array(3))))
    expect(small.every(({ length }) => length === 3)).toBe(true)
    for (const back of await Promise.all(large)) expect(sameBytes(back, value)).toBe(true)
  })
})

describe("over HTTP", () => {
  test("large JSON in and out", async () => {
    const text = "é".repeat(LARGE / 2)
    await fn(async (x: string) => x, { name: "echoText" }).to(stack.here)
    const path = pathOf("default", "echoText", "/call")
    const headers = { "content-type": "application/json" }
    const { status, json } = await ask(stack, "POST", path, { headers, body: { args: [text] } })
    expect(status).toBe(200)
    expect(Bun.deepEquals(json, { ok: true, value: text })).toBe(true)
  })

  test("what is over the env's limit is refused before it is read", async () => {
    const path = pathOf("default", "echo", "/call")
    const headers = { "content-type": "application/msgpack" }
    const { status, json } = await ask(stack, "POST", path, {
      headers,
      body: new Uint8Array(TOO_MUCH),
    })
    expect(status).toBe(413)
    expect(json).toMatchObject({ error: { code: "PAYLOAD_TOO_LARGE", ran: "no" } })
  })
})

describe("payloadMiB", () => {
  test("arguments over it are refused in each way of calling, and nothing of them is sent", async () => {
    const value = new Uint8Array(TOO_MUCH)
    const calls = [
      () => echo(value),
      () => echo.sync(value),
      () => echoSync(value),
      () => echoSync.async(value),
    ]
    for (const call of calls) {
      const error = await caught(call)
      expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "no" })
      expect(error.message).toContain(String(ENV_PAYLOAD_MIB_DEFAULT * MIB))
      expect(error.message).toContain("payloadMiB")
    }
  })

  test("a result over it is refused, and the error says that the function ran", async () => {
    for (const call of [() => make(TOO_MUCH), () => make.sync(TOO_MUCH)]) {
      expect(await caught(call)).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "yes" })
    }
  })

  test("an env may take more, or less", async () => {
    const roomy = stack.here.env("roomy", { payloadMiB: 100 })
    const makeMore = await fn(async (bytes: number) => new Uint8Array(bytes), { name: "make" }).to(
      roomy,
    )
    expect(await makeMore(TOO_MUCH)).toHaveLength(TOO_MUCH)
    const strict = stack.here.env("strict", { payloadMiB: 8 })
    const size = await fn(async (x: Uint8Array) => x.length, { name: "size" }).to(strict)
    expect(await size(new Uint8Array(8 * MIB - 100))).toBe(8 * MIB - 100)
    expect((await caught(() => size(new Uint8Array(LARGE)))).code).toBe("PAYLOAD_TOO_LARGE")
  })
})
