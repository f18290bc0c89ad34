import { describe, expect, test } from "bun:test"
import { jetstreamManager } from "@nats-io/jetstream"
import { Objm } from "@nats-io/obj"
import { innerConnection } from "../../broker/nats-connection.ts"
import { OBJECT_CHUNK_BYTES_MAX } from "../../protocol/limits.ts"
import { startBroker } from "../support/broker.ts"
import { storeOf } from "../support/store.ts"

describe("store.code", () => {
  test("gives back text of any size, and undefined for what is not there", async () => {
    await using stack = await startBroker()
    const [store] = await storeOf(await stack.connect())
    const texts = ["", "export default () => 'ü🐇'", "x".repeat(6 * 1024 * 1024)]
    for (const [index, text] of texts.entries()) {
      await store.code.put(`v${index}`, text)
      expect((await store.code.get(`v${index}`)) === text).toBe(true)
    }
    expect(await store.code.get("v9")).toBeUndefined()
    await store.code.put("v1", "again")
    expect(await store.code.get("v1")).toBe("again")
  })

  for (const damage of ["is missing", "was changed"]) {
    test(`leaves out code of which a part ${damage}, says so, and takes it again`, async () => {
      await using stack = await startBroker()
      const connection = await stack.connect()
      const [store, problems] = await storeOf(connection)
      const text = "x".repeat(5 * OBJECT_CHUNK_BYTES_MAX + 7)
      await store.code.put("v1", text)
      const { nats } = innerConnection(connection)
      const bucket = "bunhouse-space1-code"
      const info = await (await new Objm(nats).open(bucket)).info("v1")
      const chunks = `$O.${bucket}.C.${info?.nuid ?? ""}`
      const { streams } = await jetstreamManager(nats)
      await streams.purge(`OBJ_${bucket}`, { filter: chunks, keep: 3 })
      if (damage === "was changed") {
        const changed = "y".repeat(OBJECT_CHUNK_BYTES_MAX)
        for (let i = 3; i < (info?.chunks ?? 0); i++) nats.publish(chunks, changed)
        await nats.flush()
      }
      expect(await store.code.get("v1")).toBeUndefined()
      expect(problems).toEqual(["the code v1 in the store is damaged and left out"])
      await store.code.put("v1", text)
      expect((await store.code.get("v1")) === text).toBe(true)
    })
  }

  test("is deleted with all that belongs to it, unless it is wanted by then", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [store] = await storeOf(connection)
    for (const version of ["v1", "v2"]) await store.code.put(version, "x".repeat(2_000_000))
    expect((await store.code.versions()).toSorted()).toEqual(["v1", "v2"])
    await store.code.delete("v1", () => true)
    await store.code.delete("v2", () => false)
    await store.code.delete("v3", () => false)
    expect(await store.code.versions()).toEqual(["v1"])
    expect(await store.code.get("v1")).toHaveLength(2_000_000)
    await Promise.all([store.code.delete("v1", () => false), store.code.put("v1", "new")])
    expect(await store.code.get("v1")).toBe("new")
    await store.code.delete("v1", () => false)
    const { streams } = await jetstreamManager(innerConnection(connection).nats)
    expect((await streams.info("OBJ_bunhouse-space1-code")).state.messages).toBe(0)
  })

  test("may be put and read many times at once, and leaves nothing behind", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [store, problems] = await storeOf(connection)
    const text = "x".repeat(300_000)
    await store.code.put("v1", text)
    const work = Array.from({ length: 20 }, async (_, i) => {
      await store.code.put("v1", i % 2 === 0 ? text : "another")
      const found = await store.code.get("v1")
      expect(found === text || found === "another").toBe(true)
    })
    await Promise.all(work)
    expect(problems).toEqual([])
    await store.code.put("v1", "the last")
    const { streams } = await jetstreamManager(innerConnection(connection).nats)
    // Its record and its one chunk.
    expect((await streams.info("OBJ_bunhouse-space1-code")).state.messages).toBe(2)
  })
})
