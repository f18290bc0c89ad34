import { describe, expect, test } from "bun:test"
import { connectBroker } from "../../broker/connection.ts"
import { startBroker } from "../support/broker.ts"
import { caught } from "../support/caught.ts"
import { sendSignal } from "../support/processes.ts"
import { until } from "../support/until.ts"

const SUBJECT = "bunhouse.space1.a"
const MIB = 1024 * 1024

describe("the transport to the broker", () => {
  test("keeps what the socket cannot take yet, in order", async () => {
    await using stack = await startBroker()
    const [one, other] = [await stack.connect(), await stack.connect()]
    const seen: number[] = []
    other.subscribe(SUBJECT, (bytes) => {
      if (bytes.length !== MIB || bytes[0] !== bytes.at(-1)) throw new Error("a broken message")
      seen.push(bytes[0] ?? -1)
    })
    await other.flush()
    const { pid } = stack.broker
    sendSignal(pid, "SIGSTOP")
    try {
      for (let i = 0; i < 32; i++) {
        one.publish(SUBJECT, new Uint8Array(MIB).fill(i))
        await Bun.sleep(1) // Each is a frame of its own.
      }
    } finally {
      sendSignal(pid, "SIGCONT")
    }
    await until(() => seen.length === 32, "all messages")
    expect(seen).toEqual(Array.from({ length: 32 }, (_, i) => i))
  })

  test("keeps many small ones in order as well", async () => {
    await using stack = await startBroker()
    const [one, other] = [await stack.connect(), await stack.connect()]
    const seen: number[] = []
    other.subscribe(SUBJECT, (bytes) => void seen.push(Buffer.from(bytes).readUInt32LE()))
    await other.flush()
    const { pid } = stack.broker
    sendSignal(pid, "SIGSTOP")
    const count = 20_000
    try {
      for (let i = 0; i < count; i++) {
        const bytes = Buffer.alloc(i % 50 === 0 ? 30_000 : 40)
        bytes.writeUInt32LE(i)
        one.publish(SUBJECT, bytes)
        await Promise.resolve() // Each is a frame of its own.
      }
    } finally {
      sendSignal(pid, "SIGCONT")
    }
    await until(() => seen.length === count, "all messages")
    expect(seen.every((number, i) => number === i)).toBe(true)
  })

  test("reads messages that come in any pieces", async () => {
    const served = serve((socket) => {
      for (const [i, piece] of [
        "INF",
        'O {"version":"2.9.10","max_payload":8,"headers":true',
        "}\r",
        "\n",
      ].entries()) {
        setTimeout(() => socket.write(piece), i * 5)
      }
    })
    using server = served.server
    const connecting = connectBroker({ ...OPTIONS, url: `nats://127.0.0.1:${server.port}` })
    await until(() => served.said().includes("PING\r\n"), "the client's greeting")
    served.write("PO")
    await Bun.sleep(5)
    served.write("NG\r\n")
    const connection = await connecting
    const seen: string[] = []
    connection.subscribe(SUBJECT, (bytes) => void seen.push(Buffer.from(bytes).toString()))
    await until(() => served.said().includes("SUB"), "the subscription")
    const sid = /SUB \S+ (\d+)/.exec(served.said())?.[1]
    for (const byte of `MSG ${SUBJECT} ${sid} 5\r\nhello\r\nMSG ${SUBJECT} ${sid} 0\r\n\r\n`) {
      served.write(byte)
      await Bun.sleep(0)
    }
    await until(() => seen.length === 2, "the messages")
    expect(seen).toEqual(["hello", ""])
    await connection.close()
    await until(() => served.closed() > 0, "the end of the socket")
  })

  test("says what it met in place of a NATS server, and leaves no socket", async () => {
    const met: readonly (readonly [string | undefined, string])[] = [
      ["HTTP/1.1 400 Bad Request\r\n\r\n", "it does not speak NATS"],
      ["INFO {nonsense}\r\n", "JSON"],
      ['INFO {"tls_required":true}\r\n', "the server speaks TLS"],
      ['INFO {"tls_available":true}\r\n', "the server speaks TLS"],
      [undefined, "the connection was closed"],
    ]
    const meet = async ([greeting, reason]: (typeof met)[number]) => {
      const served = serve((socket) => {
        if (greeting === undefined) socket.end()
        else socket.write(greeting)
      })
      using server = served.server
      const url = `nats://127.0.0.1:${server.port}`
      const error = await caught(connectBroker({ ...OPTIONS, url }))
      expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
      expect(error.message).toContain(reason)
      expect(served.said()).not.toContain("CONNECT")
      await until(() => served.closed() === served.opened(), "the end of its sockets")
    }
    await Promise.all(met.map(meet))
  })
})

const OPTIONS = { name: "test", inboxPrefix: "inbox", user: "u", password: "secret" }

/** A server that greets by `greet` and keeps what it is told. */
function serve(greet: (socket: Bun.Socket) => void) {
  let said = ""
  let opened = 0
  let closed = 0
  let last: Bun.Socket | undefined
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        opened++
        last = socket
        socket.setNoDelay(true)
        greet(socket)
      },
      data: (_socket, bytes) => void (said += bytes.toString()),
      close: () => void closed++,
    },
  })
  return {
    server,
    said: () => said,
    opened: () => opened,
    closed: () => closed,
    write: (text: string) => void last?.write(text),
  }
}
