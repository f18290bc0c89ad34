import { AsyncLocalStorage } from "node:async_hooks"
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { Connection } from "../../client/connection/connection.ts"
import type { PendingCall } from "../../client/connection/pending.ts"
import type { RunningCall } from "../../envs/call-context.ts"
import { DaemonTransport } from "../../envs/daemon-transport.ts"
import { OwnCalls } from "../../envs/own-calls.ts"
import type { LoadedFunction } from "../../envs/run-call.ts"
import { Served as Heard } from "../../envs/served.ts"
import { decodePayload, encodeArgs } from "../../protocol/codec/index.ts"
import { decodeErrorRecord } from "../../protocol/errors.ts"
import { encodeExtra, type CallExtra } from "../../protocol/extra.ts"
import { FrameFlag, type FrameReader, FrameType } from "../../protocol/frame.ts"
import { NESTING_MAX, OWN_CALLS_BYTES_MAX, OWN_CALLS_MAX } from "../../protocol/limits.ts"
import { Served } from "../../server/envs/served.ts"
import { FakeConnection } from "../support/fake-connection.ts"
import { FakeSink } from "../support/fake-sink.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { framesIn } from "../support/frames.ts"
import { until } from "../support/until.ts"

type Fn = (...args: unknown[]) => unknown

let folder: TemporaryFolder
let broker: FakeConnection
let served: Served
let transport: DaemonTransport
let connection: Connection
let functions: Map<number, LoadedFunction>
let reported: FakeSink
beforeEach(() => {
  folder = temporaryFolder()
  broker = new FakeConnection()
  served = new Served(folder.path, "i1", (request) => heard.heard(request))
  const heard = new Heard(served.path)
  functions = new Map()
  reported = new FakeSink()
  const own = new OwnCalls({
    facts: { env: "lab", bootId: "boot", ownBootId: "boot.i1", payloadBytesMax: 1 << 20 },
    reports: reported,
    threads: { calls: 0, run: () => {}, flow: () => {}, cancel: () => {} },
    storage: new AsyncLocalStorage<RunningCall>(),
    served: heard,
    functionAt: (index) => functions.get(index),
  })
  transport = new DaemonTransport(broker, { nested: "nested", answers: "answers" }, own)
  connection = new Connection(transport.open)
})
afterEach(() => folder[Symbol.dispose]())

/** The daemon serves `fn` from here on. */
function serve(name: string, fn: Fn, version = "1"): void {
  const index = functions.size
  functions.set(index, { name, version, call: fn })
  served.serves(name, index)
}

interface Options {
  readonly timeoutMs?: number
  readonly extra?: CallExtra
  readonly flags?: number
  readonly payload?: Uint8Array
  readonly env?: string
  readonly signal?: AbortSignal
}

interface Answer {
  readonly type: number
  readonly value: unknown
  readonly callId: string
}

/** What the connection knows the last call by. */
let last: PendingCall | undefined

function call(name: string, args: unknown[] = [], options: Options = {}): Promise<Answer> {
  const { timeoutMs = 0, extra = {}, flags = 0, payload = encodeArgs(args), env = "lab" } = options
  return new Promise((resolve, reject) => {
    last = connection.call({
      env,
      function: name,
      payload,
      flags,
      extra: encodeExtra(extra),
      timeoutMs,
      signal: options.signal,
      logged: undefined,
      replied: (frame, callId) => {
        resolve({ type: frame.type, value: valueOf(frame), callId: callId() })
      },
      failed: reject,
    })
  })
}

function valueOf({ type, flags, bytes, payloadStart, end, payload }: FrameReader): unknown {
  const isFailure = type === FrameType.error && !(flags & FrameFlag.thrown)
  return isFailure ? decodeErrorRecord(payload) : decodePayload(bytes, payloadStart, end)
}

/** What was left for the daemon, but for names. */
async function sent(type: FrameType = FrameType.call): Promise<string[]> {
  await Bun.sleep(1)
  const batches = broker.publishedOn("nested.1")
  const frames = batches.flatMap((batch) => (batch.length === 0 ? [] : framesIn(batch)))
  return frames.filter((frame) => frame.type === type).map(({ text }) => text)
}

const turn = () => new Promise((resolve) => void setImmediate(resolve))

describe("a call of a function on the same loop", () => {
  test("stays in the process; the daemon hears its name only", async () => {
    serve("add", (a, b) => Number(a) + Number(b))
    expect(await call("add", [1, 2])).toMatchObject({ type: FrameType.reply, value: 3 })
    expect(await sent()).toEqual([])
    expect(await sent(FrameType.bind)).toHaveLength(1)
  })

  test("has an id of its own, which no other process gives", async () => {
    serve("f", () => 1)
    const [one, other] = [await call("f"), await call("f")]
    expect(one.callId).toBe("boot.i1-1")
    expect(other.callId).toBe("boot.i1-2")
  })

  test("runs the version that the daemon serves, and none on the word of before (OC1)", async () => {
    serve("f", () => "first")
    const before = call("f")
    await turn()
    serve("f", () => "second")
    expect([(await before).value, (await call("f")).value]).toEqual(["first", "second"])
    served.serves("f", undefined)
    void call("f")
    expect(await sent()).toHaveLength(1)
    served.end()
    serve("f", () => "third")
    void call("f")
    expect(await sent()).toHaveLength(2)
  })

  test.each<[string, string, Options]>([
    ["is not served", "other", {}],
    ["is of another env", "f", { env: "far" }],
    ["has an idempotency key", "f", { extra: { key: "k" } }],
    ["is one too many in a chain", "f", { extra: { depth: NESTING_MAX + 1 } }],
    ["has arguments that are yet to come", "f", { flags: FrameFlag.later }],
    ["has arguments in parts", "f", { payload: new Uint8Array(8 * 1024 * 1024) }],
  ])("that %s goes to the daemon", async (_what, name, options) => {
    serve("f", () => 1)
    void call(name, [], options)
    expect(await sent()).toHaveLength(1)
  })

  test("goes to the daemon where there is no place, in number and in bytes", async () => {
    const gate = Promise.withResolvers<void>()
    serve("wait", () => gate.promise)
    const calls = Array.from({ length: OWN_CALLS_MAX }, () => call("wait"))
    expect(await sent()).toHaveLength(0)
    expect(served.ownCalls).toBe(OWN_CALLS_MAX)
    void call("wait")
    expect(await sent()).toHaveLength(1)
    gate.resolve()
    await Promise.all(calls)
    expect(served.ownCalls).toBe(0)

    const again = Promise.withResolvers<void>()
    serve("hold", () => again.promise)
    const large = encodeArgs([new Uint8Array(4 * 1024 * 1024)])
    const count = Math.ceil(OWN_CALLS_BYTES_MAX / large.length)
    const held = Array.from({ length: count }, () => call("hold", [], { payload: large }))
    expect(await sent()).toHaveLength(1)
    void call("hold")
    expect(await sent()).toHaveLength(2)
    again.resolve()
    await Promise.all(held)
    expect((await call("hold")).type).toBe(FrameType.reply)
  })

  test("gets copies, and gives them (OC3)", async () => {
    const kept: unknown[] = []
    serve("keep", (x) => {
      kept.push(x)
      return x
    })
    const value = { deep: [1] }
    const { value: back } = await call("keep", [value])
    expect(back).toEqual(value)
    expect([kept[0] === value, back === value, back === kept[0]]).toEqual([false, false, false])
  })

  test("runs when its caller has made its other calls, also where these fill the outbox (OC4)", async () => {
    const order: string[] = []
    serve("note", (_bytes, i) => void order.push(`ran ${String(i)}`))
    serve("outer", (i) => {
      const calls = [1, 2, 3].map((n) =>
        call("note", [new Uint8Array(300_000), `${String(i)}.${n}`]),
      )
      order.push(`made ${String(i)}`)
      return Promise.all(calls).then(() => i)
    })
    const outer = await Promise.all([1, 2, 3].map((i) => call("outer", [i])))
    expect(outer.map(({ value }) => value)).toEqual([1, 2, 3])
    expect(order.filter((each) => each.startsWith("ran")).toSorted()).toHaveLength(9)
    expect(order.slice(0, 3)).toEqual(["made 1", "made 2", "made 3"])
  })

  test("takes a turn of the loop, so that others get theirs (OC5)", async () => {
    serve("f", () => 1)
    let turns = 0
    let isOver = false
    const count = () => {
      turns++
      if (!isOver) setImmediate(count)
    }
    setImmediate(count)
    for (let i = 0; i < 200; i++) await call("f")
    isOver = true
    expect(turns).toBeGreaterThan(100)
  })
})

describe("the end of such a call", () => {
  test("by its deadline says who, by which id, and frees its place when the function is done (OC2)", async () => {
    const gate = Promise.withResolvers<void>()
    serve("slow", () => gate.promise, "v7")
    const { type, value, callId } = await call("slow", [], { timeoutMs: 20 })
    expect(type).toBe(FrameType.error)
    expect(value).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      ran: "maybe",
      env: "lab",
      function: "slow",
      version: "v7",
      callId,
    })
    expect(served.ownCalls).toBe(1)
    gate.resolve()
    await until(() => served.ownCalls === 0, "the place to be free")
  })

  test("is that call's own: what was given up answers no later one under its caller's id (OC2)", async () => {
    const [slow, later] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
    serve("slow", () => slow.promise)
    serve("fast", () => 1)
    serve("later", () => later.promise)
    const stop = new AbortController()
    const given = call("slow", [], { signal: stop.signal }).catch(() => {})
    const id = last?.id
    await turn()
    stop.abort()
    await given
    // Ids come again after a while: a connection gives its slots in turn, each 4,096 times.
    for (let i = 0; i < 4_096 && !comesNext(id); i++) await call("fast")
    const answer = call("later")
    expect(last?.id).toBe(id ?? -1)
    await turn()
    slow.resolve("late")
    await turn()
    await turn()
    later.resolve("right")
    expect((await answer).value).toBe("right")
  })

  test("comes with the connection's: what runs is cancelled, and the next one begins anew", async () => {
    const gate = Promise.withResolvers<string>()
    serve("slow", () => gate.promise)
    const pending = call("slow").catch((error: unknown) => error)
    await turn()
    transport.reset("cut off")
    expect(await pending).toMatchObject({ code: "DAEMON_LOST", ran: "maybe" })
    const next = call("slow")
    await turn()
    gate.resolve("both")
    expect((await next).value).toBe("both")
    await until(() => served.ownCalls === 0, "both places to be free")
  })
})

/** Whether the connection gives this id to its next call: its last one had the generation before it. */
function comesNext(id: number | undefined): boolean {
  return id !== undefined && last !== undefined && (last.id + (1 << 20)) >>> 0 === id
}
