import { describe, expect, test } from "bun:test"
import { type BrokerConnection, connectBroker } from "../../broker/connection.ts"
import type { BunhouseError } from "../../protocol/errors.ts"
import { BROKER_MESSAGE_BYTES_MAX } from "../../protocol/limits.ts"
import { startBroker } from "../support/broker.ts"
import { caught } from "../support/caught.ts"
import { until } from "../support/until.ts"

const A = "bunhouse.space1.a"
const B = "bunhouse.space1.b"

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Collects the texts that arrive. */
function collect(connection: BrokerConnection, subject: string): string[] {
  const texts: string[] = []
  connection.subscribe(subject, (message) => void texts.push(Buffer.from(message).toString()))
  return texts
}

describe("connectBroker()", () => {
  test("connects, and tells what the broker allows", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    expect(connection.isConnected).toBe(true)
    expect(connection.maxMessageBytes).toBe(BROKER_MESSAGE_BYTES_MAX)
    expect(connection.serverVersion).toBe(stack.broker.version)
  })

  test("is refused at once with a wrong password, or none", async () => {
    await using stack = await startBroker()
    const options = { url: stack.broker.url, name: "test", inboxPrefix: "inbox" }
    for (const login of [{ user: "daemon", password: "guess" }, {}, { user: "", password: "" }]) {
      const startedAt = performance.now()
      const error = await caught(connectBroker({ ...options, ...login }))
      expect(error).toMatchObject({ code: "UNAUTHENTICATED", ran: "no" })
      expect(error.message).not.toContain("guess")
      expect(performance.now() - startedAt).toBeLessThan(1_000)
    }
  })

  test("gives up after a bounded time when nobody is there", async () => {
    const startedAt = performance.now()
    const options = { url: "nats://127.0.0.1:1", name: "test", inboxPrefix: "inbox" }
    const error = await caught(connectBroker(options))
    expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    expect(error.message).toContain("nats://127.0.0.1:1")
    expect(performance.now() - startedAt).toBeWithin(4_000, 8_000)
  }, 10_000)

  test("never speaks plaintext to an address with tls://", async () => {
    await using stack = await startBroker()
    const url = stack.broker.url.replace("nats:", "tls:")
    const login = stack.broker.credentials("daemon")
    const options = { url, ...login, name: "test", inboxPrefix: "inbox" }
    const error = await caught(connectBroker(options))
    expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    expect(error.message).toContain("does not support 'tls'")
  }, 10_000)

  test("says which credentials file cannot be read", async () => {
    const options = { url: "nats://127.0.0.1:1", name: "test", inboxPrefix: "inbox" }
    const credentialsFile = "/nowhere/daemon.creds"
    const error = await caught(connectBroker({ ...options, credentialsFile }))
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" })
    expect(error.message).toContain(credentialsFile)
  })

  test("waits for a broker that is starting", async () => {
    await using stack = await startBroker({ restartWaitMs: () => 300 })
    stack.kill()
    await until(() => stack.broker.pid === undefined, "the crash to be seen")
    const connection = await stack.connect()
    expect(connection.isConnected).toBe(true)
  })

  test("ends when its signal comes", async () => {
    // Accepts and says nothing, so that the attempt itself would take long.
    using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
    const url = `nats://127.0.0.1:${silent.port}`
    for (const signal of [AbortSignal.timeout(50), AbortSignal.abort()]) {
      const startedAt = performance.now()
      const error = await caught(connectBroker({ url, name: "test", inboxPrefix: "inbox", signal }))
      expect(error).toMatchObject({ code: "CANCELLED", ran: "no" })
      expect(performance.now() - startedAt).toBeLessThan(1_000)
    }
  })
})

describe("publish() and subscribe()", () => {
  test("carry bytes, the subject and where to answer", async () => {
    await using stack = await startBroker()
    const [one, other] = [await stack.connect(), await stack.connect()]
    const seen: unknown[] = []
    other.subscribe("bunhouse.space1.*", (message, { subject, reply, noResponders }) => {
      seen.push([Buffer.from(message).toString(), subject, reply, noResponders])
    })
    await other.flush()
    one.publish(A, bytes("plain"))
    one.publish(B, bytes("asking"), "bunhouse.space1.inbox.x")
    one.publish(A, new Uint8Array(0))
    await until(() => seen.length === 3, "the messages")
    expect(seen).toEqual([
      ["plain", A, undefined, false],
      ["asking", B, "bunhouse.space1.inbox.x", false],
      ["", A, undefined, false],
    ])
  })

  test("tell by a message of the broker that nobody listens", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const seen: unknown[] = []
    connection.subscribe("bunhouse.space1.inbox.*", (message, { subject, noResponders }) => {
      seen.push([message.length, subject, noResponders])
    })
    connection.publish(A, bytes("anybody?"), "bunhouse.space1.inbox.x")
    await until(() => seen.length === 1, "the broker's message")
    expect(seen).toEqual([[0, "bunhouse.space1.inbox.x", true]])
  })

  test("end with unsubscribe()", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const first: string[] = []
    const subscription = connection.subscribe(A, () => void first.push("message"))
    const second = collect(connection, A)
    connection.publish(A, bytes("1"))
    await until(() => first.length === 1, "the first message")
    subscription.unsubscribe()
    subscription.unsubscribe()
    connection.publish(A, bytes("2"))
    await until(() => second.length === 2, "the second message")
    expect(first).toHaveLength(1)
  })

  test("refuse a message over the limit before sending; the connection stays", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const messages: Uint8Array[] = []
    connection.subscribe(A, (message) => void messages.push(message))
    const tooLong = Buffer.alloc(connection.maxMessageBytes + 1, "not all the same ")
    expect(await caught(() => connection.publish(A, tooLong))).toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
      ran: "no",
    })
    expect(await caught(connection.request(A, tooLong, 1_000))).toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    })
    connection.publish(A, tooLong.subarray(1))
    connection.publish(A, bytes("after it"))
    await until(() => messages.length === 2, "the longest message and another")
    expect(tooLong.subarray(1).equals(messages[0] ?? bytes(""))).toBe(true)
    expect(connection.isConnected).toBe(true)
  })

  test("go on when a listener throws; onError() is told", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const errors: BunhouseError[] = []
    connection.onError((error) => void errors.push(error))
    const seen: string[] = []
    connection.subscribe(A, (message) => {
      const text = Buffer.from(message).toString()
      if (text === "bad") throw new TypeError("a fault of the listener")
      seen.push(text)
    })
    for (const text of ["1", "bad", "2"]) connection.publish(A, bytes(text))
    await until(() => seen.length === 2, "the messages")
    expect(seen).toEqual(["1", "2"])
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatchObject({ code: "INTERNAL" })
    expect(errors[0]?.message).toContain("a fault of the listener")
  })
})

describe("request()", () => {
  test("answers with the bytes of the answer", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    connection.subscribe(A, (message, { reply = "" }) => connection.publish(reply, message))
    const answers = await Promise.all(
      ["x", "y", ""].map((text) => connection.request(A, bytes(text), 1_000)),
    )
    expect(answers.map((answer) => Buffer.from(answer).toString())).toEqual(["x", "y", ""])
  })

  test("rejects at once when nobody listens", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const startedAt = performance.now()
    const error = await caught(connection.request(A, bytes("x"), 10_000))
    expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    expect(error.message).toContain(A)
    expect(performance.now() - startedAt).toBeLessThan(1_000)
  })

  test("rejects when its time is up", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    connection.subscribe(A, () => {})
    for (const timeoutMs of [50, 0]) {
      const error = await caught(connection.request(A, bytes("x"), timeoutMs))
      expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe" })
    }
  })
})

describe("close()", () => {
  test("cancels what is pending, may come twice, and ends the connection", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    let losses = 0
    connection.onDisconnect(() => void losses++)
    connection.subscribe(A, () => {})
    const pending = caught(connection.request(A, bytes("x"), 60_000))
    await Promise.all([connection.close(), connection.close()])
    expect(await pending).toMatchObject({ code: "CANCELLED" })
    expect(connection.isConnected).toBe(false)
    expect(losses).toBe(1)
    expect(await caught(() => connection.publish(A, bytes("x")))).toMatchObject({
      code: "UNAVAILABLE",
    })
    expect(await caught(() => connection.subscribe(A, () => {}))).toMatchObject({
      code: "CANCELLED",
    })
    await connection.close()
  })

  // In a process of its own, because the test runner takes uncaught exceptions for its own.
  test("leaves nothing that keeps the process alive; what a listener threw is an uncaught exception", async () => {
    await using stack = await startBroker()
    const { user, password } = stack.broker.credentials("daemon")
    const child = Bun.spawn([process.execPath, `${import.meta.dir}/fixtures/visitor.ts`], {
      stdin: new Blob([JSON.stringify({ url: stack.broker.url, user, password })]),
      stdout: "pipe",
      stderr: "inherit",
      timeout: 10_000,
    })
    expect(await child.stdout.text()).toBe("uncaught INTERNAL\nCANCELLED\nclosed\n")
    const closedAt = performance.now()
    expect(await child.exited).toBe(0)
    expect(performance.now() - closedAt).toBeLessThan(1_000)
  })
})
