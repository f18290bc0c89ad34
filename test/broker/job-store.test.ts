import { describe, expect, test } from "bun:test"
import { jetstreamManager } from "@nats-io/jetstream"
import type { BrokerConnection } from "../../broker/connection.ts"
import { type JobStore, openJobStore } from "../../broker/job-store.ts"
import { innerConnection } from "../../broker/nats-connection.ts"
import { PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { startBroker } from "../support/broker.ts"
import { caught } from "../support/caught.ts"

async function open(connection: BrokerConnection): Promise<[JobStore, string[]]> {
  const problems: string[] = []
  const problem = (line: string) => void problems.push(line)
  return [await openJobStore(connection, { space: "space1", problem }), problems]
}

const NOTHING = new Uint8Array(0)

describe("JobStore", () => {
  test("gives back heads without bodies, and entries one by one, as they were put", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [store, problems] = await open(connection)
    expect(await store.all()).toEqual([])
    const head = { text: "ü🐇 \u2028 'x'\r\n: y\\", list: [1, null], empty: {} }
    const largest = crypto.getRandomValues(new Uint8Array(65_536))
    const body = Buffer.concat(Array.from({ length: PAYLOAD_BYTES_MAX / 65_536 }, () => largest))
    await store.put("job.a.record", head, body)
    await store.put("job.a.step", { state: "queued" }, NOTHING)
    await store.put("job.a.step", { state: "running" }, Buffer.from("x"))
    // After another daemon has opened it, too.
    const [again] = await open(await stack.connect())
    expect(await again.all()).toEqual([
      { key: "job.a.record", head, bodyBytes: PAYLOAD_BYTES_MAX },
      { key: "job.a.step", head: { state: "running" }, bodyBytes: 1 },
    ])
    const record = await again.entry("job.a.record")
    expect(record?.head).toEqual(head)
    expect(Buffer.compare(record?.body ?? NOTHING, body)).toBe(0)
    expect(await again.entry("job.b.record")).toBeUndefined()
    expect(problems).toEqual([])
  })

  test("forgets what was deleted, and what was never there", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [store] = await open(connection)
    for (const key of ["a", "b", "c"]) await store.put(key, { key }, NOTHING)
    await store.delete(["a", "never", "b"])
    expect((await store.all()).map(({ key }) => key)).toEqual(["c"])
    await store.delete(["c"])
    const { streams, consumers } = await jetstreamManager(innerConnection(connection).nats)
    const { state } = await streams.info("KV_bunhouse-space1-jobs")
    expect(state.messages).toBe(0)
    // Reading leaves no consumer behind.
    expect(await consumers.list("KV_bunhouse-space1-jobs").next()).toEqual([])
  })

  test("tells of a head that cannot be read, and leaves it out", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [store, problems] = await open(connection)
    await store.put("good", { good: true }, NOTHING)
    innerConnection(connection).nats.publish("$KV.bunhouse-space1-jobs.bad", "no head")
    await connection.flush()
    expect((await store.all()).map(({ key }) => key)).toEqual(["good"])
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain("bad")
  })

  test("refuses what no message can hold, before it is sent", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [store] = await open(connection)
    const error = await caught(store.put("a", {}, new Uint8Array(connection.maxMessageBytes)))
    expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "no" })
    expect(await store.all()).toEqual([])
  })

  test("keeps what it confirmed when the broker is killed", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [store] = await open(connection)
    const keys = Array.from({ length: 200 }, (_, index) => `k${index}`)
    await Promise.all(keys.map((key) => store.put(key, { key }, Buffer.from(key))))
    const back = new Promise<void>((resolve) => connection.onReconnect(resolve))
    stack.kill()
    await back
    expect((await store.all()).map(({ key }) => key).toSorted()).toEqual(keys.toSorted())
  })
})
