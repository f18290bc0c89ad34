import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { Connection } from "../../../client/connection/connection.ts"
import { byWebSocket } from "../../../client/connection/dialer.ts"
import type { OutgoingCall } from "../../../client/connection/pending.ts"
import { BunhouseError } from "../../../protocol/errors.ts"
import { NO_EXTRA } from "../../../protocol/extra.ts"
import { CONNECTION_ID, FrameType } from "../../../protocol/frame.ts"
import { caught } from "../../support/caught.ts"
import { type FakeDaemon, helloOf, startFakeDaemon } from "../../support/fake-daemon.ts"
import { batchOf, joined, type SeenFrame } from "../../support/frames.ts"
import { until } from "../../support/until.ts"

let daemon: FakeDaemon
let connection: Connection
let ends: number

beforeEach(() => {
  daemon = startFakeDaemon()
  answerAll()
  connection = new Connection(byWebSocket(() => daemon.address))
  ends = 0
})
afterEach(() => {
  connection.close()
  daemon[Symbol.dispose]()
})

function replyTo({ id, text }: SeenFrame): Uint8Array {
  return batchOf(FrameType.reply, { id, serial: 36, payload: `re: ${text}` })
}

/** Makes a call whose payload is `text`; resolves with the text of the reply. */
function call(text: string, more: Partial<OutgoingCall> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    connection.call({
      env: "lab",
      function: "f",
      payload: Buffer.from(text),
      extra: NO_EXTRA,
      timeoutMs: 0,
      signal: undefined,
      logged: undefined,
      replied: (frame) => {
        ends++
        resolve(Buffer.from(frame.payload).toString())
      },
      failed: (error) => {
        ends++
        reject(error)
      },
      ...more,
    })
  })
}

function answerAll(): void {
  daemon.onCall = (frame, peer) => void peer.send(replyTo(frame))
}

/** The client has had a connection, and knows that it is gone. */
async function loseConnection(): Promise<void> {
  fallSilent()
  const lost = caught(call("lost"))
  await daemon.calls(1)
  daemon.drop()
  expect(await lost).toMatchObject({ code: "DAEMON_LOST", ran: "maybe" })
  answerAll()
}

/** Leaves calls unanswered from now on. */
function fallSilent(): void {
  daemon.onCall = () => {}
}

describe("Connection", () => {
  test("gives the number of a function that is not called any more to another one", async () => {
    await call("a", { function: "a" })
    await call("b", { function: "b" })
    connection.forget("lab", "a")
    connection.forget("lab", "never called")
    await call("c", { function: "c" })
    await call("a again", { function: "a" })
    const bound = daemon.frames.filter(({ type }) => type === FrameType.bind)
    expect(bound.map(({ target, text }) => [target, JSON.parse(text).function])).toEqual([
      [1, "a"],
      [2, "b"],
      [1, "c"],
      [3, "a"],
    ])
  })

  test("sends all calls of one tick as one message, and names each function once", async () => {
    await call("first")
    const texts = Array.from({ length: 50 }, (_, i) => `call ${i}`)
    const replies = await Promise.all(texts.map((text) => call(text)))
    expect(replies).toEqual(texts.map((text) => `re: ${text}`))
    expect(daemon.messageSizes).toEqual([2, 50])
    expect(daemon.frames.filter(({ type }) => type === FrameType.bind)).toHaveLength(1)
  })

  test("tells the public id of a call", async () => {
    const id = Promise.withResolvers<string>()
    void call("a", { replied: (_frame, callId) => id.resolve(callId()) })
    expect(await id.promise).toBe("boot-10")
  })

  test("ends a call once: second, strange and late replies find nothing (M1)", async () => {
    daemon.onCall = (frame, peer) => {
      const again = frame.id + (1 << 20)
      const odd = [again, 77, 0xffff_fffe].map((id) => batchOf(FrameType.reply, { id }))
      peer.send(joined(...odd, replyTo(frame), replyTo(frame)))
      peer.send(replyTo(frame))
    }
    expect(await Promise.all([call("a"), call("b")])).toEqual(["re: a", "re: b"])
    expect(await call("c")).toBe("re: c")
    expect(ends).toBe(3)
  })

  test("passes on what is left of a deadline, and ends a call when the daemon says nothing (M1)", async () => {
    await call("answered", { timeoutMs: 10 })
    fallSilent()
    const start = performance.now()
    const error = await caught(call("a", { timeoutMs: 50 }))
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe", env: "lab" })
    expect(performance.now() - start).toBeGreaterThan(1_000)
    const [, sent] = await daemon.calls(2)
    expect(ends).toBe(2) // the call that was answered did not end again
    // The slot is free for another call only if the daemon knows.
    await until(() => daemon.frames.at(-1)?.type === FrameType.cancel, "the cancel")
    expect(daemon.frames.at(-1)?.id).toBe((await daemon.calls(2))[1]?.id ?? -1)
    expect(sent?.timeoutMs).toBeGreaterThan(0)
    expect(sent?.timeoutMs).toBeLessThanOrEqual(50)
  })

  test('ends what was sent with ran "maybe" when the connection is lost; the next call opens another (M2)', async () => {
    fallSilent()
    const calls = [call("a"), call("b")]
    await daemon.calls(2)
    daemon.drop()
    for (const each of calls) {
      expect(await caught(each)).toMatchObject({ code: "DAEMON_LOST", ran: "maybe" })
    }
    answerAll()
    expect(await call("c")).toBe("re: c")
    expect(ends).toBe(3)
    // The new connection knows no names.
    expect(daemon.frames.filter(({ type }) => type === FrameType.bind)).toHaveLength(2)
  })

  test("keeps what was not sent for the next connection (M2)", async () => {
    let tries = 0
    await loseConnection()
    daemon.onConnect = () => (++tries < 3 ? new Response("not yet", { status: 503 }) : undefined)
    expect(await Promise.all([call("a"), call("b")])).toEqual(["re: a", "re: b"])
    expect(tries).toBe(3)
  })

  test("finds a daemon that was restarted, on the same port, with another boot id", async () => {
    await loseConnection()
    const port = Number(new URL(daemon.address.url).port)
    daemon[Symbol.dispose]()
    const waiting = call("over the restart")
    await Bun.sleep(30)
    daemon = startFakeDaemon(port)
    daemon.onOpen = (peer) => void peer.send(helloOf("again"))
    answerAll()
    expect(await waiting).toBe("re: over the restart")
    const id = Promise.withResolvers<string>()
    void call("a", { replied: (_frame, callId) => id.resolve(callId()) })
    expect(await id.promise).toBe("again-10")
  })

  test("does not look for a daemon that never was there", async () => {
    daemon[Symbol.dispose]()
    const start = performance.now()
    const error = await caught(call("a"))
    expect(error).toMatchObject({ code: "NO_DAEMON", ran: "no" })
    expect(error.message).toContain("bunhouse start")
    expect(performance.now() - start).toBeLessThan(1_000)
  })

  test("ends all calls with the refusal of a daemon that lets nobody in", async () => {
    const error = { code: "UNAUTHENTICATED", message: "who are you", ran: "no" }
    daemon.onConnect = () => Response.json({ error }, { status: 401 })
    for (const each of [call("a"), call("b")]) {
      expect(await caught(each)).toMatchObject({ code: "UNAUTHENTICATED", ran: "no" })
    }
  })

  test("ends a call whose address cannot be found out", async () => {
    const open = byWebSocket(() => {
      throw new BunhouseError("PERMISSION_DENIED", "others may read the token")
    })
    connection = new Connection(open)
    expect(await caught(call("a"))).toMatchObject({ code: "PERMISSION_DENIED" })
  })

  test.each([
    ["noise", Buffer.from("noise")],
    ["a batch that is cut short", batchOf(FrameType.reply, { id: 0 }).subarray(0, -1)],
    ["another protocol", Buffer.from([0x62, 0x68, 99, 0])],
    [
      "an error about the connection",
      batchOf(FrameType.error, {
        id: CONNECTION_ID,
        payload: `{"code":"PROTOCOL_ERROR","message":"odd frame"}`,
      }),
    ],
    ["a hello that is none", batchOf(FrameType.hello, { payload: "{" })],
  ])("gives up a connection on which %s arrives, and its calls with it", async (_what, message) => {
    await call("warm")
    daemon.onCall = (_frame, peer) => void peer.send(message)
    expect(await caught(call("a"))).toMatchObject({ code: "DAEMON_LOST", ran: "maybe" })
    answerAll()
    expect(await call("b")).toBe("re: b")
  })

  test("ends with the daemon's reason when that refuses the connection", async () => {
    await call("warm")
    const payload = `{"code":"PROTOCOL_ERROR","message":"the call id 5 is in use"}`
    daemon.onCall = (_frame, peer) =>
      void peer.send(batchOf(FrameType.error, { id: CONNECTION_ID, payload }))
    expect((await caught(call("a"))).message).toContain("the call id 5 is in use")
  })

  test("closes by itself what was opened for calls that are gone", async () => {
    const gate = Promise.withResolvers<undefined>()
    daemon.onConnect = () => gate.promise
    let opened = 0
    daemon.onOpen = () => void opened++
    const caller = new AbortController()
    const gone = caught(call("a", { signal: caller.signal }))
    caller.abort()
    expect(await gone).toMatchObject({ code: "CANCELLED", ran: "no" })
    gate.resolve(undefined)
    await until(() => opened === 1 && daemon.peers.size === 0, "the connection to come and go")
    expect(await call("b")).toBe("re: b")
  })
})

describe("Connection.close()", () => {
  test("ends pending calls as cancelled by this side; a later call opens it again", async () => {
    fallSilent()
    const sent = caught(call("a"))
    await daemon.calls(1)
    connection.close()
    expect(await sent).toMatchObject({ code: "CANCELLED", ran: "maybe" })
    await until(() => daemon.peers.size === 0, "the daemon to notice")
    answerAll()
    expect(await call("b")).toBe("re: b")
    connection.close()
    connection.close()
  })

  test("while it opens leaves no connection behind", async () => {
    const unsent = caught(call("a"))
    connection.close()
    expect(await unsent).toMatchObject({ code: "CANCELLED", ran: "no" })
    await Bun.sleep(20)
    expect(daemon.peers.size).toBe(0)
    expect(daemon.frames).toEqual([])
  })
})
