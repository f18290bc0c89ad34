import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import type { Socket } from "bun"
import { ClientSocket } from "../../../client/connection/websocket.ts"
import { FrameType } from "../../../protocol/frame.ts"
import { caught } from "../../support/caught.ts"
import { type FakeDaemon, startFakeDaemon } from "../../support/fake-daemon.ts"
import { batchOf, framesIn } from "../../support/frames.ts"
import { until } from "../../support/until.ts"

/** What a socket told its owner. */
class Owner {
  readonly messages: Buffer[] = []
  readonly ends: string[] = []
  message(bytes: Buffer): void {
    this.messages.push(bytes)
  }
  closed(reason: string): void {
    this.ends.push(reason)
  }
}

let owner: Owner
beforeEach(() => {
  owner = new Owner()
})

describe("ClientSocket", () => {
  let daemon: FakeDaemon
  beforeEach(() => {
    daemon = startFakeDaemon()
  })
  afterEach(() => daemon[Symbol.dispose]())

  async function open(): Promise<ClientSocket> {
    return ClientSocket.open(daemon.address.url, daemon.address.token, owner)
  }

  test("carries messages both ways, larger than any buffer of the system", async () => {
    const payload = "x".repeat(9_000_000)
    const socket = await open()
    daemon.onCall = ({ text }, peer) => {
      peer.send(batchOf(FrameType.reply, { payload: text }))
    }
    // More at once than the system takes: what is left follows in order.
    for (const id of [1, 2, 3]) socket.send(batchOf(FrameType.call, { id, payload }))
    await until(() => owner.messages.length === 4, "hello and three replies")
    expect((await daemon.calls(3)).map(({ id }) => id)).toEqual([1, 2, 3])
    const texts = owner.messages.slice(1).map((batch) => framesIn(batch)[0]?.text)
    expect(texts.every((text) => text === payload)).toBe(true)
    socket.close()
  })

  test("ends once, whoever closes, and sends nothing after it", async () => {
    const socket = await open()
    socket.close()
    socket.close()
    socket.send(Buffer.from("late"))
    expect(owner.ends).toEqual(["closed by this side"])
    await until(() => daemon.peers.size === 0, "the daemon to notice")
    expect(owner.ends).toHaveLength(1)
  })

  test("tells that the daemon closed", async () => {
    await open()
    daemon.drop()
    await until(() => owner.ends.length > 0, "the end")
    expect(owner.ends).toEqual(["closed by the daemon"])
  })

  test("rejects with what the daemon answers instead of an upgrade", async () => {
    const error = { code: "UNAUTHENTICATED", message: "who are you", ran: "no" }
    daemon.onConnect = () => Response.json({ error }, { status: 401 })
    expect(await caught(open())).toMatchObject({ code: "UNAUTHENTICATED", message: "who are you" })
  })

  test.each([
    ["another program", () => new Response("hello", { status: 200 })],
    ["a program without a body", () => new Response(null, { status: 204 })],
    ["JSON of another kind", () => Response.json({ detail: 1 }, { status: 404 })],
    ["a redirect", () => Response.redirect("http://127.0.0.1:1/", 302)],
  ])("takes %s for no daemon", async (_what, answer) => {
    daemon.onConnect = answer
    const error = await caught(open())
    expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    expect(error.message).toContain("no bunhouse daemon")
  })
})

describe("ClientSocket.open()", () => {
  let listener: { readonly port: number; stop(force: boolean): void }
  let onData: (socket: Socket, data: Buffer) => void
  beforeEach(() => {
    onData = () => {}
    listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket, data) => onData(socket, data) },
    })
  })
  afterEach(() => listener.stop(true))

  function open(timeoutMs?: number): Promise<ClientSocket> {
    return ClientSocket.open(`http://127.0.0.1:${listener.port}`, "token", owner, timeoutMs)
  }

  test("does not wait for ever for a daemon that accepts and says nothing", async () => {
    const error = await caught(open(50))
    expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    expect(error.message).toContain("50 ms")
  })

  test("counts the time until it is open, and not longer", async () => {
    using daemon = startFakeDaemon()
    const { url, token } = daemon.address
    await ClientSocket.open(url, token, owner, 30)
    await Bun.sleep(60)
    expect(owner.ends).toEqual([])
    expect(daemon.peers.size).toBe(1)
  })

  test("rejects when the connection closes first", async () => {
    onData = (socket) => socket.end()
    expect(await caught(open())).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
  })

  test("rejects when the answer to the upgrade is not the one to its key", async () => {
    const head = "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: other\r\n\r\n"
    onData = (socket) => void socket.write(head)
    expect((await caught(open())).message).toContain("upgrade is not valid")
  })

  test.each([
    ["no end", `HTTP/1.1 101 x\r\n${"a: b\r\n".repeat(4_000)}`],
    ["no HTTP", `SSH-2.0-OpenSSH\r\n\r\n`],
    ["a broken body", `HTTP/1.1 401 x\r\ncontent-length: 3\r\n\r\n{"e`],
    ["an absurd length", `HTTP/1.1 500 x\r\ncontent-length: 99999999\r\n\r\n${"x".repeat(20_000)}`],
  ])("rejects an answer with %s", async (_what, answer) => {
    onData = (socket) => void socket.write(answer)
    expect(await caught(open(2_000))).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
  })

  test("sends the token in the header, and nowhere else", async () => {
    const seen = Promise.withResolvers<string>()
    onData = (socket, data) => {
      seen.resolve(data.toString())
      socket.end()
    }
    await caught(open())
    const [line, ...headers] = (await seen.promise).split("\r\n")
    expect(line).toBe("GET /v1/connect HTTP/1.1")
    expect(headers.filter((header) => header.includes("token"))).toEqual([
      "authorization: Bearer token",
    ])
  })

  test("reads the upgrade and what follows it in whatever pieces they come", async () => {
    for (const size of [1, 2, 7, 1_000]) {
      owner = new Owner()
      onData = (socket, data) => {
        const key = /sec-websocket-key: (.*)\r\n/.exec(data.toString())?.[1] ?? ""
        const accept = new Bun.CryptoHasher("sha1")
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest("base64")
        const head = `HTTP/1.1 101 x\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
        const all = Buffer.concat([Buffer.from(head), Buffer.from([0x82, 3, 1, 2, 3])])
        void writeInPieces(socket, all, size)
      }
      const socket = await open()
      await until(() => owner.messages.length > 0, "the message")
      expect(owner.messages[0]).toEqual(Buffer.from([1, 2, 3]))
      socket.close()
    }
  })

  test("answers pings with what they carry", async () => {
    const pong = Promise.withResolvers<Buffer>()
    onData = (socket, data) => {
      const key = /sec-websocket-key: (.*)\r\n/.exec(data.toString())?.[1]
      if (key === undefined) return pong.resolve(data)
      const accept = new Bun.CryptoHasher("sha1")
        .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest("base64")
      socket.write(`HTTP/1.1 101 x\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
      socket.write(Buffer.from([0x89, 2, 8, 9]))
    }
    const socket = await open()
    const [first = 0, second = 0, ...rest] = await pong.promise
    expect([first, second]).toEqual([0x8a, 0x82])
    const unmasked = rest.slice(4).map((byte, i) => byte ^ (rest[i] ?? 0))
    expect(unmasked).toEqual([8, 9])
    socket.close()
  })
})

async function writeInPieces(socket: Socket, bytes: Buffer, size: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += size) {
    socket.write(bytes.subarray(at, at + size))
    await Bun.sleep(0)
  }
}
