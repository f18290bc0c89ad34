import { describe, expect, test } from "bun:test"
import {
  readControlReply,
  readControlRequest,
  readEnvBootstrap,
  readEnvHello,
} from "../../protocol/env-control.ts"
import { BunhouseError, toErrorRecord } from "../../protocol/errors.ts"
import { callIdOf, readHello } from "../../protocol/hello.ts"
import { DEPLOY_TIMEOUT_MS_DEFAULT, PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { PROTOCOL_VERSION } from "../../protocol/version.ts"
import { refusal } from "../support/sent.ts"

const BOOTSTRAP = {
  protocol: PROTOCOL_VERSION,
  env: "ml",
  incarnation: "i1",
  bootId: "b1",
  subjects: { calls: "c", control: "k", replies: "r", nested: "n", answers: "a" },
  broker: { url: "nats://127.0.0.1:1", user: "u", password: "p" },
  threadsMax: 4,
  loopBlockMs: 100,
  payloadBytesMax: PAYLOAD_BYTES_MAX,
  logFile: "/logs/env.log",
}
const HELLO = { protocol: PROTOCOL_VERSION, incarnation: "i1", pid: 42, connections: 1 }
const LOAD = {
  op: "load",
  index: 0,
  name: "f",
  run: "loop",
  path: "/x.js",
  as: "function",
  export: "default",
}

/** Without one of its fields. */
function without(record: object, key: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key))
}

function read(reader: (input: unknown) => unknown, input: unknown): unknown {
  return reader(input)
}

describe("what daemon and env process say to each other", () => {
  test("is read as it was written", () => {
    expect(read(readEnvBootstrap, BOOTSTRAP)).toEqual(BOOTSTRAP)
    expect(read(readEnvHello, HELLO)).toEqual(HELLO)
    expect(read(readControlRequest, { ...LOAD, timeoutMs: 70 })).toEqual({ ...LOAD, timeoutMs: 70 })
    expect(read(readControlRequest, LOAD)).toEqual({
      ...LOAD,
      timeoutMs: DEPLOY_TIMEOUT_MS_DEFAULT,
    })
    expect(readControlRequest({ op: "greet" })).toEqual({ op: "greet" })
  })

  // A number that is made up where a field is missing may name a stranger: -1 is every process to kill().
  test.each([
    ...["protocol", "env", "incarnation", "bootId", "subjects", "broker"].map(
      (key) => [key, readEnvBootstrap, BOOTSTRAP] as const,
    ),
    ...Object.keys(HELLO).map((key) => [key, readEnvHello, HELLO] as const),
    ...Object.keys(LOAD).map((key) => [key, readControlRequest, LOAD] as const),
  ])("is refused without %s", (key, reader, record) => {
    const { message } = refusal("INVALID_ARGUMENT", () => reader(without(record, key)))
    expect(message).toContain(key)
  })

  test.each<[string, (input: unknown) => unknown, unknown]>([
    ["another protocol", readEnvBootstrap, { ...BOOTSTRAP, protocol: PROTOCOL_VERSION + 1 }],
    ["an unknown field", readEnvBootstrap, { ...BOOTSTRAP, extra: 1 }],
    ["subjects of other kinds", readEnvBootstrap, { ...BOOTSTRAP, subjects: { calls: 1 } }],
    ["the pid 0", readEnvHello, { ...HELLO, pid: 0 }],
    ["the pid -1", readEnvHello, { ...HELLO, pid: -1 }],
    ["an unknown request", readControlRequest, { op: "eval", code: "1" }],
    ["an index of no function", readControlRequest, { ...LOAD, index: -1 }],
    ["a reply of neither kind", readControlReply, { ok: "yes" }],
    ["no object", readControlReply, null],
  ])(
    "is refused with %s",
    (_, reader, input) => void refusal("INVALID_ARGUMENT", () => reader(input)),
  )

  test("a reply may report an error; what cannot be read of it is INTERNAL", () => {
    const error = toErrorRecord(new BunhouseError("DEPLOY_FAILED", "no such file"))
    expect(readControlReply({ ok: true })).toBeUndefined()
    expect(readControlReply({ ok: true, value: [1] })).toEqual([1])
    const failed = refusal("DEPLOY_FAILED", () => readControlReply({ ok: false, error }))
    expect(failed).toMatchObject({ message: "no such file", ran: "no" })
    refusal("INTERNAL", () => readControlReply({ ok: false }))
    refusal("INTERNAL", () => readControlReply({ ok: false, error: "x" }))
  })
})

const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

describe("readHello()", () => {
  const hello = { protocol: 1, version: "0.1.0", bootId: "b1" }

  test("reads the daemon's hello, and ignores what newer daemons add", () => {
    const received: unknown = readHello(bytesOf({ ...hello, more: 1 }))
    expect(received).toEqual(hello)
  })

  test.each(Object.keys(hello))("refuses one without %s", (key) => {
    refusal("INVALID_ARGUMENT", () => readHello(bytesOf(without(hello, key))))
  })

  test("refuses bytes that are no JSON", () => {
    for (const text of ["", "{", "\0", "[]"])
      refusal("INVALID_ARGUMENT", () => readHello(Buffer.from(text)))
  })

  test("callIdOf() is unique over serials and lives", () => {
    const ids = ["b1", "b2"].flatMap((bootId) =>
      [0, 1, 35, 36, 0xffff_ffff].map((serial) => callIdOf(bootId, serial)),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })
})
