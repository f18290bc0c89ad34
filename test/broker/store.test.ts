import { describe, expect, test } from "bun:test"
import { jetstreamManager } from "@nats-io/jetstream"
import { Kvm } from "@nats-io/kv"
import { innerConnection } from "../../broker/nats-connection.ts"
import { nameToken } from "../../protocol/names.ts"
import { startBroker } from "../support/broker.ts"
import { storeOf } from "../support/store.ts"
import { caught } from "../support/caught.ts"
import { temporaryFolder } from "../support/folder.ts"
import { until } from "../support/until.ts"
import { sendSignal } from "../support/processes.ts"

const NAMES = ["ml", "Großes Modell", "a.b.*.>", "__proto__", "🐇", "x".repeat(200)]

describe("store.envs", () => {
  test("gives back what was put, by the real names", async () => {
    await using stack = await startBroker()
    const [store, problems] = await storeOf(await stack.connect())
    expect(await store.envs.all()).toEqual(new Map())
    for (const name of NAMES) await store.envs.put(name, { of: name, list: [1, null, "ü"] })
    await store.envs.put("ml", "the last one counts")
    const expected = new Map<string, unknown>(
      NAMES.map((name) => [name, { of: name, list: [1, null, "ü"] }]),
    )
    expected.set("ml", "the last one counts")
    expect(await store.envs.all()).toEqual(expected)
    expect(problems).toEqual([])
  })

  test("forgets what was deleted, and what was never there", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [store, problems] = await storeOf(connection)
    await store.envs.put("a", 1)
    await store.envs.put("b", 2)
    await store.envs.delete("a")
    await store.envs.delete("never there")
    expect(await store.envs.all()).toEqual(new Map([["b", 2]]))
    // The marks of the deletions are swept by reading; what is put afterwards stays.
    await store.envs.put("a", 3)
    expect(await store.envs.all()).toEqual(
      new Map([
        ["b", 2],
        ["a", 3],
      ]),
    )
    await store.envs.delete("a")
    await store.envs.delete("b")
    expect(await store.envs.all()).toEqual(new Map())
    expect(problems).toEqual([])
    const { streams } = await jetstreamManager(innerConnection(connection).nats)
    expect((await streams.info("KV_bunhouse-space1-envs")).state.messages).toBe(0)
  })
})

describe("store.functions", () => {
  test("keeps functions of one name in two envs apart", async () => {
    await using stack = await startBroker()
    const [store] = await storeOf(await stack.connect())
    for (const env of NAMES) {
      for (const name of NAMES) await store.functions.put(env, name, { env, name })
    }
    await store.functions.delete("ml", "🐇")
    const expected = NAMES.flatMap((env) => NAMES.map((name) => `${env}/${name}`))
    const found = (await store.functions.all()).map((record) => Bun.inspect(record))
    expect(found).toHaveLength(expected.length - 1)
    expect(found).not.toContain(Bun.inspect({ env: "ml", name: "🐇" }))
    expect(found).toContain(Bun.inspect({ env: "🐇", name: "ml" }))
  })

  test("reads 10,000 records in well under a second", async () => {
    await using stack = await startBroker()
    const [store] = await storeOf(await stack.connect())
    const count = 10_000
    const record = { kind: "async", run: "loop", version: "0123456789abcdef" }
    for (let i = 0; i < count; i += 500) {
      const names = Array.from({ length: 500 }, (_, k) => `fn ${i + k}`)
      await Promise.all(names.map((name) => store.functions.put("ml", name, { name, ...record })))
    }
    const startedAt = performance.now()
    const records = await store.functions.all()
    const tookMs = performance.now() - startedAt
    expect(records).toHaveLength(count)
    expect(new Set(records.map((found) => Bun.inspect(found))).size).toBe(count)
    expect(tookMs).toBeLessThan(1_000)
  }, 30_000)
})

describe("store.files", () => {
  test("gives back bytes, and forgets what is not to be kept, with every mark of it", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [store] = await storeOf(connection)
    const packs = ["a", "b", "c"].map((name) => Buffer.alloc(300_000, name))
    for (const [i, pack] of packs.entries()) await store.files.put(`v${i}`, pack)
    await store.files.keep(new Set(["v1"]))
    expect(await store.files.get("v0")).toBeUndefined()
    expect(Buffer.from((await store.files.get("v1")) ?? "")).toEqual(packs[1] ?? Buffer.alloc(0))
    await store.files.put("v0", packs[2] ?? Buffer.alloc(0))
    expect(await store.files.get("v0")).toHaveLength(300_000)
    await store.files.keep(new Set())
    const { streams } = await jetstreamManager(innerConnection(connection).nats)
    const { state } = await streams.info("OBJ_bunhouse-space1-files")
    expect(state.messages).toBe(0)
  })
})

describe("reading", () => {
  test("leaves no consumer behind in the broker", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [store] = await storeOf(connection)
    await store.envs.put("ml", 1)
    await store.code.put("v1", "code")
    for (let i = 0; i < 3; i++) {
      await store.envs.all()
      await store.functions.all()
      await store.code.get("v1")
    }
    const { consumers, streams } = await jetstreamManager(innerConnection(connection).nats)
    const names = await streams.names().next()
    expect(names).toHaveLength(4)
    for (const name of names) expect(await consumers.list(name).next()).toEqual([])
  })
})

describe("a record that cannot be read", () => {
  test("is left out and reported; the others are read", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [store, problems] = await storeOf(connection)
    await store.envs.put("good", 1)
    const kv = await new Kvm(innerConnection(connection).nats).open("bunhouse-space1-envs")
    const bad: [key: string, text: string][] = [
      [nameToken("truncated"), '{"names":["trunc'],
      [nameToken("empty"), ""],
      [nameToken("list"), "[]"],
      [nameToken("unnamed"), '{"value":1}'],
      [nameToken("other"), '{"names":["good"],"value":2}'],
      [`${nameToken("two")}.${nameToken("names")}`, '{"names":["two"],"value":2}'],
      ["foreign/key", '{"names":["good"],"value":2}'],
    ]
    for (const [key, text] of bad) await kv.put(key, text)
    await store.envs.put("also good", 3)
    expect(await store.envs.all()).toEqual(
      new Map([
        ["good", 1],
        ["also good", 3],
      ]),
    )
    expect(problems).toHaveLength(bad.length)
    for (const [index, [key]] of bad.entries()) {
      expect(problems[index]).toStartWith(`the record ${key} in bunhouse-space1-envs is left out: `)
    }
  })
})

describe("the store", () => {
  test("is kept when the broker is stopped and started again", async () => {
    using folder = temporaryFolder()
    {
      await using stack = await startBroker({ folder: folder.path })
      const [store] = await storeOf(await stack.connect())
      await store.envs.put("ml", 1)
      await store.functions.put("ml", "train", 2)
      await store.code.put("v1", "code")
    }
    await using stack = await startBroker({ folder: folder.path })
    const [store, problems] = await storeOf(await stack.connect())
    expect(await store.envs.all()).toEqual(new Map([["ml", 1]]))
    expect(await store.functions.all()).toEqual([2])
    expect(await store.code.get("v1")).toBe("code")
    expect(problems).toEqual([])
  })

  test("is kept when the broker is killed: all that was acknowledged, and no deletion undone", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [store] = await storeOf(connection)
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 20; i++) await store.envs.put(`env ${i}`, round)
      for (let i = 0; i < 20; i += 2) await store.envs.delete(`env ${i}`)
      await store.code.put(`v${round}`, `code ${round}`)
      stack.kill()
      await until(() => !connection.isConnected, "the loss to be seen")
      await until(() => connection.isConnected, "the connection to be back")
      const kept = Array.from({ length: 10 }, (_, i) => [`env ${2 * i + 1}`, round] as const)
      expect(await store.envs.all()).toEqual(new Map(kept))
      expect(await store.code.get(`v${round}`)).toBe(`code ${round}`)
    }
  })

  test("keeps spaces apart", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [[one], [other]] = [await storeOf(connection, "one"), await storeOf(connection, "other")]
    await one.envs.put("ml", 1)
    await one.code.put("v1", "code")
    expect(await other.envs.all()).toEqual(new Map())
    expect(await other.code.get("v1")).toBeUndefined()
  })

  test("fails at once while the broker is away, and when it goes away", async () => {
    await using stack = await startBroker({ restartWaitMs: () => 60_000 })
    const connection = await stack.connect()
    const [store] = await storeOf(connection)
    sendSignal(stack.broker.pid, "SIGSTOP")
    const pending = [
      caught(store.envs.put("ml", 1)),
      caught(store.functions.all()),
      caught(store.code.put("v1", "code")),
      caught(store.code.get("v1")),
    ]
    const killedAt = performance.now()
    stack.kill()
    await until(() => !connection.isConnected, "the loss to be seen")
    pending.push(caught(store.envs.delete("ml")), caught(storeOf(connection)))
    for (const error of await Promise.all(pending)) {
      expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    }
    expect(performance.now() - killedAt).toBeLessThan(1_000)
  })

  test("says so when the broker has no JetStream for this user", async () => {
    await using stack = await startBroker()
    const env = await stack.connect("env")
    env.onError(() => {})
    const error = await caught(storeOf(env))
    expect(error).toMatchObject({ code: "UNAVAILABLE" })
    expect(error.message).toStartWith("opening ")
  })
})
