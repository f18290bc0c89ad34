import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { fn, type Remote } from "../../client/index.ts"
import { encodeArgs } from "../../protocol/codec/index.ts"
import { BATCH_PREFIX_BYTES, FrameFlag, FrameType } from "../../protocol/frame.ts"
import { BODY_BYTES_MAX } from "../../protocol/limits.ts"
import { bytesOf } from "../support/msgpack.ts"
import { batchOf, joined } from "../support/frames.ts"
import { randomFrom } from "../support/random.ts"
import { RawClient } from "../support/raw-client.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/**
 * Clients that break the protocol. Whatever they send is answered on their own connection; calls of another client
 * that run all the while are not disturbed, and the daemon neither ends nor swells.
 */
let stack: Stack
let remote: Remote<(x: unknown) => Promise<unknown>>
let neighbour: Neighbour

beforeAll(async () => {
  stack = await startStack()
  remote = await fn(async function echo(x: unknown) {
    return x
  }).to(stack.here)
  neighbour = new Neighbour()
})
afterAll(async () => {
  expect(await neighbour.stop()).toEqual({ failures: [], ran: expect.any(Number) })
  const { callsInFlight, pid } = await stack.here.status()
  expect({ callsInFlight, pid }).toEqual({ callsInFlight: 0, pid: stack.pid })
  expect(await stack.log()).not.toContain("uncaught")
  await stack[Symbol.asyncDispose]()
})

/** Another client of the daemon, which calls without end. */
class Neighbour {
  readonly #failures: unknown[] = []
  readonly #done: Promise<void>
  #ran = 0
  #goesOn = true

  constructor() {
    this.#done = this.#run()
  }

  async stop(): Promise<{ failures: unknown[]; ran: number }> {
    this.#goesOn = false
    await this.#done
    return { failures: this.#failures, ran: this.#ran }
  }

  async #run(): Promise<void> {
    while (this.#goesOn) {
      const number = ++this.#ran
      const value = await remote(number).catch((error: unknown) => error)
      if (value !== number) this.#failures.push(value)
    }
  }
}

function args(...values: unknown[]): Uint8Array {
  return encodeArgs(values)
}

function bind(target = 1): Uint8Array {
  return batchOf(FrameType.bind, {
    target,
    payload: JSON.stringify({ env: "default", function: "echo" }),
  })
}

function call(id: number, target = 1): Uint8Array {
  return batchOf(FrameType.call, { id, target, timeoutMs: 10_000, payload: args("x") })
}

function withBytes(batch: Uint8Array, at: number, ...bytes: number[]): Uint8Array {
  const changed = new Uint8Array(batch)
  changed.set(bytes, at)
  return changed
}

const LENGTH = BATCH_PREFIX_BYTES
const TYPE = BATCH_PREFIX_BYTES + 4
const EXTRA_LENGTH = BATCH_PREFIX_BYTES + 6

const BROKEN: readonly (readonly [what: string, code: string, message: string | Uint8Array])[] = [
  ["text", "PROTOCOL_ERROR", "hello"],
  ["text that is JSON", "PROTOCOL_ERROR", `{"type":"call"}`],
  ["text that is a JSON list", "PROTOCOL_ERROR", "[1,2]"],
  ["empty text", "PROTOCOL_ERROR", ""],
  ["nothing", "PROTOCOL_ERROR", new Uint8Array()],
  ["half a prefix", "PROTOCOL_ERROR", new Uint8Array([0x62, 0x68])],
  ["another protocol", "VERSION_MISMATCH", withBytes(call(1), 2, 2)],
  ["a header that is cut short", "PROTOCOL_ERROR", call(1).subarray(0, 20)],
  ["a payload that is cut short", "PROTOCOL_ERROR", joined(bind(), call(1)).subarray(0, -1)],
  ["a frame longer than its batch", "PROTOCOL_ERROR", withBytes(call(1), LENGTH + 3, 0x7f)],
  ["a frame shorter than its header", "PROTOCOL_ERROR", withBytes(call(1), LENGTH, 3)],
  ["a frame of no length", "PROTOCOL_ERROR", withBytes(call(1), LENGTH, 0)],
  [
    "metadata longer than the frame",
    "PROTOCOL_ERROR",
    withBytes(call(1), EXTRA_LENGTH, 0xff, 0xff),
  ],
  ["type 0", "PROTOCOL_ERROR", withBytes(call(1), TYPE, 0)],
  ["type 200", "PROTOCOL_ERROR", withBytes(call(1), TYPE, 200)],
  ["a hello", "PROTOCOL_ERROR", withBytes(call(1), TYPE, FrameType.hello)],
  ["a reply", "PROTOCOL_ERROR", withBytes(call(1), TYPE, FrameType.reply)],
  ["an unbound target", "PROTOCOL_ERROR", call(1, 99)],
  ["the same id twice", "PROTOCOL_ERROR", joined(bind(), call(5), call(5))],
  ["names that are no JSON", "INVALID_ARGUMENT", batchOf(FrameType.bind, { payload: "\0" })],
  ["names that are a list", "INVALID_ARGUMENT", batchOf(FrameType.bind, { payload: "[]" })],
  [
    "names a thousand deep",
    "INVALID_ARGUMENT",
    batchOf(FrameType.bind, { payload: `${"[".repeat(100_000)}${"]".repeat(100_000)}` }),
  ],
]

describe("a message of frames", () => {
  test.each(BROKEN)("that is %s is refused with %s, and the connection closed", async (...row) => {
    const [, code, message] = row
    const client = await RawClient.connect(stack)
    client.send(typeof message === "string" ? message : new Uint8Array(message))
    expect(await client.refusal()).toBe(code)
    expect(client.closed).toMatchObject({ code: 1002, reason: code })
  })

  test("over the limit closes the connection", async () => {
    const client = await RawClient.connect(stack)
    client.send(new Uint8Array(BODY_BYTES_MAX + 1))
    await until(() => client.closed, "the daemon to close")
    expect(client.closed?.code).toBe(1009)
  })

  test("of a call whose payload is over the limit is refused, and others go on", async () => {
    const client = await RawClient.connect(stack)
    client.bind("default", "echo")
    client.call(1, { payload: new Uint8Array(8_000_000) })
    client.call(2, { payload: args("small") })
    expect((await client.reply(1)).text).toContain("PAYLOAD_TOO_LARGE")
    expect((await client.reply(2)).type).toBe(FrameType.reply)
    client.close()
  })

  test.each([
    ["noise", Buffer.from("\u0000\u00ff\u00c1noise")],
    ["nothing", new Uint8Array()],
    ["a value that is no list", bytesOf(0, 1)],
    ["an unknown encoding", bytesOf(9, 0x90)],
    ["a list that announces four thousand million values", bytesOf(0, 0xdd, [255, 255, 255, 255])],
    ["a hundred thousand lists in each other", Buffer.alloc(100_001, 0x91).fill(0, 0, 1)],
  ])(
    "of a call whose arguments are %s is answered, did not run, and harms nobody",
    async (...row) => {
      const client = await RawClient.connect(stack)
      client.bind("default", "echo")
      client.call(1, { payload: row[1] })
      const reply = await client.reply(1)
      expect(reply.type).toBe(FrameType.error)
      expect(JSON.parse(reply.text)).toMatchObject({ code: "PROTOCOL_ERROR", ran: "no" })
      client.close()
    },
  )

  test("of a call in JSON is answered in JSON", async () => {
    const client = await RawClient.connect(stack)
    client.bind("default", "echo")
    client.call(1, { flags: FrameFlag.json, payload: `["a"]` })
    client.call(2, { flags: FrameFlag.json, payload: "{" })
    expect(JSON.parse((await client.reply(1)).text)).toEqual({ ok: true, value: "a" })
    expect(JSON.parse((await client.reply(2)).text)).toMatchObject({ code: "INVALID_ARGUMENT" })
    client.close()
  })

  test("may cancel ids that never were", async () => {
    const client = await RawClient.connect(stack)
    for (const id of [0, 1, 77, 0xffff_fffe]) client.send(batchOf(FrameType.cancel, { id }))
    client.bind("default", "echo")
    client.call(1, { payload: args("still there") })
    expect((await client.reply(1)).type).toBe(FrameType.reply)
    client.close()
  })

  test("may use flags and fields that mean nothing", async () => {
    const client = await RawClient.connect(stack)
    client.bind("default", "echo")
    client.call(1, { flags: 0x08, serial: 0xffff_ffff, payload: args(1) })
    expect((await client.reply(1)).type).toBe(FrameType.reply)
    client.close()
  })
})

describe("noise", () => {
  test("of every kind is refused on its own connection", async () => {
    const random = randomFrom(20_261_122)
    const valid = joined(bind(), call(1), call(2), batchOf(FrameType.cancel, { id: 1 }))
    for (let round = 0; round < 60; round++) {
      const client = await RawClient.connect(stack)
      const message = new Uint8Array(valid)
      for (let changes = 0; changes < 1 + (round % 6); changes++) {
        message[Math.floor(random() * message.length)] = Math.floor(random() * 256)
      }
      client.send(message.slice(0, Math.floor(random() * message.length * 1.2)))
      client.send(message)
      client.close()
    }
    expect(await remote("after")).toBe("after")
  })

  test("in large messages does not make the daemon swell", async () => {
    const before = rssMiB(stack.pid)
    for (let round = 0; round < 12; round++) {
      const client = await RawClient.connect(stack)
      client.send(new Uint8Array(BODY_BYTES_MAX))
      expect(await client.refusal()).toBe("PROTOCOL_ERROR")
    }
    await until(() => rssMiB(stack.pid) - before < 150, "the daemon's memory to come back")
  })

  test("of a hundred thousand calls in one message ends each one once", async () => {
    const client = await RawClient.connect(stack)
    client.bind("default", "nothing")
    const batches = Array.from({ length: 100_000 }, (_, id) =>
      batchOf(FrameType.call, { id, target: 1 }),
    )
    client.send(joined(...batches))
    await until(() => client.frames.length === 100_001, "all refusals", 10_000)
    expect(new Set(client.frames.map(({ id }) => id)).size).toBe(100_000)
    client.close()
  })
})

function rssMiB(pid: number): number {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
  return Number(kib) / 1024
}
