import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Remote } from "../../client/index.ts"
import { decodePayload, encodeArgs } from "../../protocol/codec/index.ts"
import { Fields } from "../../protocol/fields.ts"
import { ENV_PAYLOAD_MIB_DEFAULT, PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { ask, pathOf } from "../support/http.ts"
import { daemonPeakWhile, MIB } from "../support/memory.ts"
import { noise, sameBytes } from "../support/noise.ts"
import { type Stack, startStack } from "../support/stack.ts"

/** Jobs whose arguments and results are too large for one message. */
const LARGE = 9 * MIB + 12_345

let stack: Stack
let echo: Remote<(x: Uint8Array) => Promise<Uint8Array>>
let make: Remote<(bytes: number) => Promise<Uint8Array>>
let size: Remote<(x: Uint8Array) => Promise<number>>

beforeAll(async () => {
  stack = await startStack()
  echo = await fn(async (x: Uint8Array) => x, { name: "echo" }).to(stack.here)
  make = await fn(async (bytes: number) => new Uint8Array(bytes).fill(7), { name: "make" }).to(
    stack.here,
  )
  size = await fn(async (x: Uint8Array) => x.length, { name: "size" }).to(stack.here)
})
afterAll(() => stack[Symbol.asyncDispose]())

/** Encoded arguments of so many bytes in all. */
function argumentsOf(bytes: number): Uint8Array {
  const overhead = encodeArgs([new Uint8Array(bytes)]).length - bytes
  const args = encodeArgs([noise(bytes - overhead)])
  expect(args).toHaveLength(bytes)
  return args
}

describe("a job with large values", () => {
  const value = noise(LARGE)

  test("gets its arguments and gives its result as they are, as often as it is asked", async () => {
    const job = await echo.start(value)
    expect(sameBytes(await job.result(), value)).toBe(true)
    expect(sameBytes(await stack.here.job<Uint8Array>(job.id).result(), value)).toBe(true)
    expect(await job.status()).toMatchObject({ state: "succeeded", attempts: 1 })
  })

  test("on a thread, delayed, and several at a time", async () => {
    const onThread = await fn((x: Uint8Array) => x, { name: "echoSync" }).to(stack.here)
    const delayed = echo.with({ job: { delayMs: 300 } })
    const jobs = await Promise.all([
      onThread.start(value),
      delayed.start(value),
      echo.start(value),
      echo.start(value),
    ])
    for (const job of jobs) expect(sameBytes(await job.result(), value)).toBe(true)
  })

  test("under an id of its own is started once, however often it is", async () => {
    const mine = echo.with({ job: { id: "mine" } })
    const started = await Promise.all([mine.start(value), mine.start(value)])
    expect(started.map(({ id }) => id)).toEqual(["mine", "mine"])
    expect(sameBytes(await stack.here.job<Uint8Array>("mine").result(), value)).toBe(true)
    await mine.start(value)
    const named = (await stack.here.jobs()).filter(({ id }) => id === "mine")
    expect(named).toMatchObject([{ attempts: 1, state: "succeeded" }])
    expect(await caught(size.with({ job: { id: "mine" } }).start(value))).toMatchObject({
      code: "INVALID_ARGUMENT",
    })
  })
})

describe("over HTTP", () => {
  test("as JSON, in and out", async () => {
    const text = "é".repeat(LARGE / 2)
    await fn(async (x: string) => x, { name: "echoText" }).to(stack.here)
    const { status, json } = await ask(stack, "POST", pathOf("default", "echoText", "/jobs"), {
      body: { args: [text] },
    })
    expect(status).toBe(202)
    const id = new Fields("the answer", json).required("job", (job) => job.text("id"))
    const result = await ask(stack, "GET", `/v1/jobs/${id}/result?waitMs=20000`)
    expect(result.status).toBe(200)
    expect(Bun.deepEquals(result.json, { ok: true, value: text })).toBe(true)
    expect(await stack.here.job<string>(id).result()).toBe(text)
  })

  test("as msgpack, in and out", async () => {
    const value = noise(LARGE)
    const { json } = await ask(stack, "POST", pathOf("default", "echo", "/jobs"), {
      body: encodeArgs([value]),
      headers: { "content-type": "application/msgpack" },
    })
    const id = new Fields("the answer", json).required("job", (job) => job.text("id"))
    const response = await fetch(`${stack.url}/v1/jobs/${id}/result?waitMs=20000`, {
      headers: { authorization: `Bearer ${stack.token}` },
    })
    expect(response.headers.get("bunhouse-outcome")).toBe("value")
    const bytes = await response.bytes()
    expect(response.headers.get("bunhouse-bytes")).toBe(String(bytes.length))
    const back = decodePayload(bytes)
    expect(back instanceof Uint8Array && sameBytes(back, value)).toBe(true)
  })
})

async function startSize(args: Uint8Array) {
  return await ask(stack, "POST", pathOf("default", "size", "/jobs"), {
    body: args,
    headers: { "content-type": "application/msgpack" },
  })
}

describe("the limit", () => {
  test.each([PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX + 1, ENV_PAYLOAD_MIB_DEFAULT * MIB])(
    "%p bytes of arguments are taken",
    async (bytes) => {
      const { status, json } = await startSize(argumentsOf(bytes))
      expect(status).toBe(202)
      const id = new Fields("the answer", json).required("job", (job) => job.text("id"))
      expect(await stack.here.job<number>(id).result()).toBeGreaterThan(bytes - 100)
    },
  )

  test("one more byte is refused, ran no, and makes no job", async () => {
    const before = (await stack.here.jobs()).length
    const { status, json } = await startSize(argumentsOf(ENV_PAYLOAD_MIB_DEFAULT * MIB + 1))
    expect([status, json]).toMatchObject([413, { error: { code: "PAYLOAD_TOO_LARGE", ran: "no" } }])
    const tooMuch = new Uint8Array(ENV_PAYLOAD_MIB_DEFAULT * MIB)
    const error = await caught(size.start(tooMuch))
    expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "no" })
    expect(error.message).toContain("payloadMiB")
    expect(await stack.here.jobs()).toHaveLength(before)
  })

  test("is that of the env", async () => {
    const strict = stack.here.env("strict", { payloadMiB: 8 })
    const sizeThere = await fn(async (x: Uint8Array) => x.length, { name: "size" }).to(strict)
    expect((await caught(sizeThere.start(new Uint8Array(9 * MIB)))).code).toBe("PAYLOAD_TOO_LARGE")
    expect(await (await sizeThere.start(new Uint8Array(7.5 * MIB))).result()).toBe(7.5 * MIB)
  })

  test("holds for results: the error says that the function ran", async () => {
    const job = await make.start(ENV_PAYLOAD_MIB_DEFAULT * MIB)
    expect(await caught(job.result())).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "yes" })
  })
})

describe("memory", () => {
  test("of the daemon stays small while 128 MiB go through a job, both ways", async () => {
    const roomy = stack.here.env("roomy", { payloadMiB: 300 })
    const echoMuch = await fn(async (x: Uint8Array) => x, { name: "echo" }).to(roomy)
    const value = noise(128 * MIB)
    expect(await (await echoMuch.start(value.subarray(0, LARGE))).result()).toHaveLength(LARGE)
    let isSame = false
    const peak = await daemonPeakWhile(stack, async () => {
      isSame = sameBytes(await (await echoMuch.start(value)).result(), value)
    })
    expect(isSame).toBe(true)
    // Less than one of the values; most of it is garbage.
    expect(peak / MIB).toBeLessThan(112)
  }, 120_000)
})
