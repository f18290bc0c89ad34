import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { Host } from "../../envs/host.ts"
import { encodeArgs } from "../../protocol/codec/index.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { FrameFlag, FrameType } from "../../protocol/frame.ts"
import { FakeConnection } from "../support/fake-connection.ts"
import { temporaryFolder } from "../support/folder.ts"
import { batchOf, framesIn, type SeenFrame } from "../support/frames.ts"
import { until } from "../support/until.ts"

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

let broker: FakeConnection
let host: Host
let files = 0

beforeEach(async () => {
  broker = new FakeConnection()
  host = new Host(
    {
      protocol: 1,
      env: "lab",
      incarnation: "i1",
      bootId: "boot",
      subjects: {
        calls: "calls",
        control: "control",
        replies: "replies",
        nested: "nested",
        answers: "answers",
      },
      broker: { url: "nats://nowhere" },
      threadsMax: 1,
      loopBlockMs: 0, // Its watchdog would sample what other tests of this process do.
      payloadBytesMax: 7 * 1024 * 1024,
      logFile: "/dev/null",
    },
    broker,
  )
  await host.start()
})

function replies(): SeenFrame[] {
  return broker.publishedOn("replies").flatMap((bytes) => framesIn(bytes))
}

function repliesTo(id: number): SeenFrame[] {
  return replies().filter((frame) => frame.id === id && frame.type !== FrameType.hello)
}

function hellos(): { readonly connections: number }[] {
  const frames = replies().filter(({ type }) => type === FrameType.hello)
  return frames.map(({ text }) => JSON.parse(text))
}

async function control(request: object): Promise<{ ok: boolean; error?: { code: string } }> {
  const reply = `answer-${++files}`
  broker.receive("control", Buffer.from(JSON.stringify(request)), reply)
  const [bytes] = await until(() => {
    const answers = broker.publishedOn(reply)
    return answers.length > 0 ? answers : undefined
  }, "the answer to a control request")
  return JSON.parse(Buffer.from(bytes ?? new Uint8Array()).toString())
}

async function load(index: number, code: string, run = "loop", timeoutMs = 5_000) {
  const path = folder.join(`h${++files}.mjs`)
  writeFileSync(path, code)
  const loadedAs = { as: "function", export: "default" }
  return control({ op: "load", index, name: "f", run, path, timeoutMs, ...loadedAs })
}

function call(id: number, target: number, ...args: unknown[]): void {
  broker.receive("calls", batchOf(FrameType.call, { id, target, payload: encodeArgs(args) }))
}

describe("Host", () => {
  test("says hello when it listens, and tells how often it has connected", () => {
    expect(hellos()).toMatchObject([{ protocol: 1, incarnation: "i1", connections: 1 }])
  })

  test("says hello again when it is asked, and with another number when it has reconnected", async () => {
    expect(await control({ op: "greet" })).toEqual({ ok: true })
    expect(hellos().map(({ connections }) => connections)).toEqual([1, 1])
    broker.lose()
    broker.comeBack()
    expect(hellos().map(({ connections }) => connections)).toEqual([1, 1, 2])
  })

  test("says hello in a message of its own, whatever else is on its way", async () => {
    await load(1, "export default () => 'at once'")
    call(1, 1)
    broker.receive("control", Buffer.from(`{"op":"greet"}`))
    await until(() => repliesTo(1)[0], "the reply")
    for (const batch of broker.publishedOn("replies")) {
      const types = framesIn(batch).map(({ type }) => type)
      expect(types.includes(FrameType.hello) ? types : [FrameType.hello]).toEqual([FrameType.hello])
    }
  })

  test("answers each call once: on the loop, on a thread, and where nothing is loaded (Q1)", async () => {
    expect(await load(1, "export default async (x) => x + 1")).toEqual({ ok: true })
    expect(await load(2, "export default (x) => x + 2", "thread")).toEqual({ ok: true })
    call(11, 1, 1)
    call(12, 2, 1)
    call(13, 99)
    for (const id of [11, 12, 13]) await until(() => repliesTo(id)[0], `the reply to ${id}`)
    expect(repliesTo(11)).toMatchObject([{ type: FrameType.reply }])
    expect(repliesTo(12)).toMatchObject([{ type: FrameType.reply }])
    const [unknown, ...more] = repliesTo(13)
    expect(JSON.parse(unknown?.text ?? "")).toMatchObject({ code: "INTERNAL", ran: "no" })
    expect(more).toEqual([])
  })

  test("refuses a broken request about code, and goes on", async () => {
    for (const request of [{}, { op: "load" }, { op: "dance" }, { op: "greet", more: 1 }]) {
      expect(await control(request)).toMatchObject({ error: { code: "INVALID_ARGUMENT" } })
    }
    expect(await load(1, "export default () => 1")).toEqual({ ok: true })
  })

  test("does not wait for top-level code that awaits for ever", async () => {
    const answer = await load(1, "await new Promise(() => {}); export default () => 1", "loop", 30)
    expect(answer).toMatchObject({ ok: false, error: { code: "DEPLOY_FAILED" } })
  })

  test("cancels what it runs when the broker is lost, on the loop and on threads (Q2)", async () => {
    const key = `signal-${crypto.randomUUID()}`
    let isAborted = false
    const listen = () => {
      host.loop.current()?.signal.addEventListener("abort", () => (isAborted = true))
    }
    Object.assign(globalThis, { [key]: listen })
    await load(
      1,
      `export default async () => { globalThis["${key}"](); await new Promise(() => {}) }`,
    )
    await load(2, "export default () => { for (;;) {} }", "thread")
    await load(3, "export default () => 3", "thread")
    call(1, 1)
    call(2, 2)
    broker.lose()
    expect(isAborted).toBe(true)
    broker.comeBack()
    call(3, 3)
    await until(() => repliesTo(3)[0], "the one thread to be free again")
  })

  test("answers a call whose result the broker does not take (Q1)", async () => {
    await load(1, "export default async () => 'x'.repeat(1000)")
    broker.refuseOver(600, new BunhouseError("PAYLOAD_TOO_LARGE", "over the broker's limit"))
    call(1, 1)
    const { text } = await until(() => repliesTo(1)[0], "the reply")
    expect(JSON.parse(text)).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "yes" })
  })

  test("goes on with a call whose lines the broker does not take (Q1)", async () => {
    Reflect.set(globalThis, "print", host.output.take)
    await load(
      1,
      `export default async () => {
         print("stdout", "x".repeat(700) + "\\n")
         await Bun.sleep(60)
         return "done"
       }`,
    )
    broker.refuseOver(600, new BunhouseError("PAYLOAD_TOO_LARGE", "over the broker's limit"))
    const payload = encodeArgs([])
    const frame = { id: 1, target: 1, flags: FrameFlag.logs, payload }
    broker.receive("calls", batchOf(FrameType.call, frame))
    await until(() => repliesTo(1)[0], "the reply")
    expect(repliesTo(1).map(({ type }) => type)).toEqual([FrameType.reply])
    Reflect.deleteProperty(globalThis, "print")
  })
})
