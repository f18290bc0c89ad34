import { beforeEach, describe, expect, test } from "bun:test"
import { Connection } from "../../client/connection/connection.ts"
import { DaemonTransport } from "../../envs/daemon-transport.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { NO_EXTRA } from "../../protocol/extra.ts"
import { CONNECTION_ID, FrameType } from "../../protocol/frame.ts"
import { caught } from "../support/caught.ts"
import { FakeConnection } from "../support/fake-connection.ts"
import { batchOf, framesIn, type SeenFrame } from "../support/frames.ts"

const ALL_TO_THE_DAEMON = {
  connect: () => ({ take: (batch: Uint8Array) => batch, close: () => {} }),
}

let broker: FakeConnection
let transport: DaemonTransport
let connection: Connection
beforeEach(() => {
  broker = new FakeConnection()
  transport = new DaemonTransport(
    broker,
    { nested: "nested", answers: "answers" },
    ALL_TO_THE_DAEMON,
  )
  connection = new Connection(transport.open)
})

/** Resolves with the text of the reply. */
function call(name: string, payload = "args"): Promise<string> {
  return new Promise((resolve, reject) => {
    connection.call({
      env: "lab",
      function: name,
      payload: Buffer.from(payload),
      extra: NO_EXTRA,
      timeoutMs: 0,
      signal: undefined,
      logged: undefined,
      replied: (frame) => {
        const text = Buffer.from(frame.payload).toString()
        if (frame.type === FrameType.reply) resolve(text)
        else reject(new BunhouseError("INTERNAL", text))
      },
      failed: reject,
    })
  })
}

/** What was published in a session, once it is there. */
async function sent(session: number): Promise<SeenFrame[]> {
  await Bun.sleep(0)
  const batches = broker.publishedOn(`nested.${session}`)
  return batches.flatMap((batch) => (batch.length === 0 ? [] : framesIn(batch)))
}

function answer(session: number, frame: SeenFrame | undefined, payload: string): void {
  const reply = batchOf(FrameType.reply, { id: frame?.id ?? 0, payload })
  broker.receive(`answers.${session}`, reply)
}

describe("DaemonTransport", () => {
  test("carries calls to the daemon and answers back", async () => {
    const pending = call("f")
    const [bind, frame] = await sent(1)
    expect(bind?.type).toBe(FrameType.bind)
    expect(frame).toMatchObject({ type: FrameType.call, text: "args" })
    answer(1, frame, "ok")
    expect(await pending).toBe("ok")
  })

  test("gives each channel a session of its own, in the order in which they speak (L1)", async () => {
    const heard: string[] = []
    const channelOf = (name: string) => {
      return transport.dial({
        message: (bytes) => heard.push(`${name}: ${framesIn(bytes)[0]?.text}`),
        closed: (reason) => heard.push(`${name} closed: ${reason}`),
      })
    }
    const [silent, first, second] = [channelOf("silent"), channelOf("first"), channelOf("second")]
    second.send(batchOf(FrameType.call, { payload: "two" }))
    first.send(batchOf(FrameType.call, { payload: "one" }))
    expect((await sent(1)).map(({ text }) => text)).toEqual(["two"])
    expect((await sent(2)).map(({ text }) => text)).toEqual(["one"])
    answer(2, undefined, "for the first")
    first.close()
    answer(2, undefined, "late")
    answer(1, undefined, "for the second")
    transport.reset("cut off")
    silent.send(batchOf(FrameType.call, {}))
    expect(broker.publishedOn("nested.3")).toEqual([])
    expect(heard).toEqual([
      "first: for the first",
      "first closed: closed by this side",
      "second: for the second",
      "silent closed: cut off",
      "second closed: cut off",
    ])
  })

  test.each([
    ["the broker is lost", () => (broker.lose(), broker.comeBack())],
    ["the daemon was cut off", () => transport.reset("cut off")],
    [
      "the daemon knows nothing of the session",
      () => {
        const payload = `{"code":"UNAVAILABLE","message":"gone"}`
        broker.receive("answers.1", batchOf(FrameType.error, { id: CONNECTION_ID, payload }))
      },
    ],
    ["what arrives is noise", () => broker.receive("answers.1", Buffer.from("noise"))],
  ])("ends its session when %s, and the next call begins another one (L2)", async (_how, end) => {
    const pending = caught(call("f"))
    await sent(1)
    end()
    expect(await pending).toMatchObject({ code: "DAEMON_LOST", ran: "maybe" })
    const next = call("f")
    const [bind, frame] = await sent(2)
    expect(bind?.type).toBe(FrameType.bind)
    answer(1, frame, "late") // L1
    answer(2, frame, "ok")
    expect(await next).toBe("ok")
  })

  test("without a broker refuses calls, which did not run", async () => {
    broker.lose()
    expect(await caught(call("f"))).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
  })

  test("tells the daemon when this side closes", async () => {
    const pending = caught(call("f"))
    await sent(1)
    connection.close()
    expect(await pending).toMatchObject({ code: "CANCELLED" })
    expect(broker.publishedOn("nested.1").at(-1)).toHaveLength(0)
  })

  test("answers a call that the broker does not take, and goes on with others", async () => {
    const first = call("f")
    answer(1, (await sent(1))[1], "ok")
    await first
    broker.refuseOver(1_000, new BunhouseError("PAYLOAD_TOO_LARGE", "too much"))
    expect((await caught(call("f", "x".repeat(2_000)))).message).toContain("PAYLOAD_TOO_LARGE")
    const next = call("f")
    answer(1, (await sent(1)).at(-1), "ok")
    expect(await next).toBe("ok")
  })
})
