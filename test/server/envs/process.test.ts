import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { BunhouseError } from "../../../protocol/errors.ts"
import { FrameType } from "../../../protocol/frame.ts"
import { PROTOCOL_VERSION } from "../../../protocol/version.ts"
import { EnvProcess } from "../../../server/envs/process.ts"
import { caught } from "../../support/caught.ts"
import { FakeConnection } from "../../support/fake-connection.ts"
import { type TemporaryFolder, temporaryFolder } from "../../support/folder.ts"
import { batchOf, framesIn } from "../../support/frames.ts"
import { isRunning } from "../../support/processes.ts"
import { until } from "../../support/until.ts"

/** A real process that never finds its broker; what it would say is said by the test. */
let folder: TemporaryFolder
let broker: FakeConnection
let life: EnvProcess
/** What the process told its owner, in order. */
let told: string[]
let unsent: { readonly ids: number[]; readonly error: BunhouseError }[]

beforeEach(() => {
  folder = temporaryFolder()
  broker = new FakeConnection()
  told = []
  unsent = []
  life = start()
})
afterEach(async () => {
  life.kill()
  await life.exited
  folder[Symbol.dispose]()
})

function start(cwd = folder.path): EnvProcess {
  return new EnvProcess({
    env: "lab",
    incarnation: "i1",
    bootId: "boot",
    space: "space",
    threadsMax: 3,
    loopBlockMs: 100,
    payloadBytesMax: 7 * 1024 * 1024,
    token: undefined,
    connection: broker,
    broker: { url: "nats://127.0.0.1:1" },
    folder: cwd,
    cwd,
    memoryMiB: undefined,
    bunArgs: ["--smol"],
    logFile: folder.join("lab.log"),
    variables: { PATH: process.env["PATH"] ?? "" },
    onReplies: (_link, { id }) => void told.push(`reply ${id}`),
    onCutOff: () => void told.push(`cut off, reachable: ${life.isReachable}`),
    onReachable: () => void told.push(`reachable: ${life.isReachable}`),
    reportOf: (_link, { kind, amount }) => ({
      kind,
      amount,
      call: undefined,
      function: undefined,
      others: [],
      stack: [],
    }),
    onReport: (_process, { kind, amount }, isOver) =>
      void told.push(`report ${kind}: ${amount}, over: ${isOver}`),
    onUnsent: (batch, error) => {
      unsent.push({ ids: framesIn(batch).map(({ id }) => id), error })
    },
  })
}

const REPLIES = "bunhouse.space.up.i1"
const DOWN = "bunhouse.space.env.p-lab.i1"

function say(batch: Uint8Array): void {
  broker.receive(REPLIES, batch)
}

function sayHello(connections: number, protocol = PROTOCOL_VERSION): void {
  const hello = { protocol, incarnation: "i1", pid: life.pid, connections }
  say(batchOf(FrameType.hello, { payload: JSON.stringify(hello) }))
}

describe("EnvProcess", () => {
  test("is ready and can be reached when it has said hello", async () => {
    expect(life.isReachable).toBe(false)
    sayHello(1)
    await life.ready
    expect(life.isReachable).toBe(true)
    expect(life.threadsMax).toBe(3)
    expect(told).toEqual([])
  })

  test("is asked for a hello when the broker is back, and cannot be reached until it says it (V4)", () => {
    sayHello(1)
    broker.lose()
    expect(life.isReachable).toBe(false)
    broker.comeBack()
    expect(life.isReachable).toBe(false)
    const [greeting] = broker.publishedOn(`${DOWN}.control`)
    expect(Buffer.from(greeting ?? new Uint8Array()).toString()).toBe(`{"op":"greet"}`)
    sayHello(2)
    expect(told).toEqual(["cut off, reachable: false", "reachable: true"])
  })

  test("lost nothing when only the daemon was away, and says so by the same number", () => {
    sayHello(1)
    broker.lose()
    broker.comeBack()
    sayHello(1)
    sayHello(1)
    expect(told).toEqual(["reachable: true", "reachable: true"])
  })

  test("that reconnects by itself lost what was on the way", () => {
    sayHello(1)
    sayHello(2)
    expect(told).toEqual(["cut off, reachable: false", "reachable: true"])
  })

  test("gives replies to its owner, and none before its hello", () => {
    say(batchOf(FrameType.reply, { id: 1 }))
    sayHello(1)
    say(batchOf(FrameType.reply, { id: 2 }))
    say(batchOf(FrameType.error, { id: 3 }))
    expect(told).toEqual(["reply 2", "reply 3"])
  })

  test("of another protocol is never ready", async () => {
    sayHello(1, 99)
    expect(await caught(life.ready)).toMatchObject({ code: "VERSION_MISMATCH" })
    expect(life.isReachable).toBe(false)
  })

  test("sends what is written together as one message, and nothing while the broker is away", async () => {
    sayHello(1)
    for (const id of [1, 2]) life.outbox.open(0).write(FrameType.call, 0, id, 0, 0, 0)
    await until(() => broker.publishedOn(`${DOWN}.calls`)[0], "the message")
    expect(broker.publishedOn(`${DOWN}.calls`).map((batch) => framesIn(batch).length)).toEqual([2])
    broker.lose()
    life.outbox.open(0).write(FrameType.call, 0, 3, 0, 0, 0)
    await Bun.sleep(1)
    expect(broker.publishedOn(`${DOWN}.calls`)).toHaveLength(1)
    expect(unsent).toEqual([])
  })

  test("tells its owner which calls the broker did not take", async () => {
    sayHello(1)
    broker.refuseOver(20, new BunhouseError("PAYLOAD_TOO_LARGE", "over the limit"))
    for (const id of [1, 2]) life.outbox.open(0).write(FrameType.call, 0, id, 0, 0, 0)
    await until(() => unsent.length > 0, "the refusal")
    expect(unsent).toMatchObject([{ ids: [1, 2], error: { code: "PAYLOAD_TOO_LARGE" } }])
  })

  test("tells how it ended, and leaves nothing behind (V1)", async () => {
    sayHello(1)
    life.kill()
    expect(life.isReachable).toBe(false)
    expect(await life.exited).toEqual({ how: "SIGKILL", isForced: false })
    expect(isRunning(life.pid)).toBe(false)
    sayHello(1)
    broker.lose()
    broker.comeBack()
    expect(told).toEqual([])
    expect(broker.publishedOn(`${DOWN}.control`)).toEqual([])
  })

  test("that ends before its hello is not ready, and says how", async () => {
    life.kill()
    const error = await caught(life.ready)
    expect(error).toMatchObject({ code: "ENV_FAILED", env: "lab" })
    expect(error.message).toContain("SIGKILL")
  })

  test("that cannot be started leaves no listener behind", () => {
    broker = new FakeConnection()
    expect(() => start("/proc/nowhere")).toThrow()
    expect(broker.listeners).toBe(0)
  })

  test("has no secret in its arguments (V3)", async () => {
    // The system knows the arguments a moment after it knows the process.
    const text = await until(
      async () => (await Bun.file(`/proc/${life.pid}/cmdline`).text()) || undefined,
      "its arguments",
    )
    expect(text).not.toContain("nats://")
    expect(text).toContain("--no-orphans")
  })
})
