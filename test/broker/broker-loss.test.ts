import { describe, expect, test } from "bun:test"
import type { BrokerConnection } from "../../broker/connection.ts"
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

describe("a broker that goes away", () => {
  test("settles what is in flight at once; the function may have run", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    connection.subscribe(A, () => {})
    await connection.flush()
    const pending = Array.from({ length: 10 }, () =>
      caught(connection.request(A, bytes("x"), 60_000)),
    )
    await connection.flush()
    const killedAt = performance.now()
    stack.kill()
    for (const error of await Promise.all(pending)) {
      expect(error).toMatchObject({ code: "BROKER_LOST", ran: "maybe" })
    }
    expect(performance.now() - killedAt).toBeLessThan(1_000)
  })

  test("makes publish(), request() and flush() fail before anything is sent", async () => {
    await using stack = await startBroker({ restartWaitMs: () => 60_000 })
    const connection = await stack.connect()
    stack.kill()
    await until(() => !connection.isConnected, "the loss to be seen")
    const refused = { code: "UNAVAILABLE", ran: "no" }
    expect(await caught(() => connection.publish(A, bytes("x")))).toMatchObject(refused)
    expect(await caught(connection.request(A, bytes("x"), 60_000))).toMatchObject(refused)
    expect(await caught(connection.flush())).toMatchObject(refused)
  })

  test("is told to listeners once, and so is its return", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const heard: string[] = []
    connection.onDisconnect(() => {
      heard.push(`lost, connected: ${connection.isConnected}`)
    })
    const unlisten = connection.onDisconnect(() => void heard.push("no longer listening"))
    connection.onReconnect(() => {
      heard.push(`back, connected: ${connection.isConnected}`)
    })
    unlisten()
    stack.kill()
    await until(() => heard.length === 2, "the connection to be back")
    expect(heard).toEqual(["lost, connected: false", "back, connected: true"])
  })

  test("finds all connections and their subscriptions again when it is back, 5 times over", async () => {
    await using stack = await startBroker()
    const connections = await Promise.all(Array.from({ length: 10 }, () => stack.connect()))
    const texts = connections.map((connection) => collect(connection, A))
    const added: string[] = []
    for (let round = 1; round <= 5; round++) {
      stack.kill()
      await until(
        () => connections.every((connection) => !connection.isConnected),
        "all to be lost",
      )
      // Made while the broker is away.
      connections[0]?.subscribe(B, () => void added.push("message"))
      await until(() => connections.every((connection) => connection.isConnected), "all to be back")
      await Promise.all(connections.map((connection) => connection.flush()))
      connections[round]?.publish(A, bytes(`round ${round}`))
      connections[round]?.publish(B, bytes("x"))
      await until(() => texts.every((seen) => seen.length === round), "the message everywhere")
    }
    expect(new Set(texts.map((seen) => seen.join()))).toEqual(
      new Set(["round 1,round 2,round 3,round 4,round 5"]),
    )
    expect(added).toHaveLength(1 + 2 + 3 + 4 + 5)
  }, 30_000)

  test("is not waited for by close()", async () => {
    await using stack = await startBroker({ restartWaitMs: () => 60_000 })
    const connection = await stack.connect()
    stack.kill()
    await until(() => !connection.isConnected, "the loss to be seen")
    const startedAt = performance.now()
    await connection.close()
    expect(performance.now() - startedAt).toBeLessThan(1_000)
  })
})
