import { describe, expect, test } from "bun:test"
import { jetstreamManager } from "@nats-io/jetstream"
import { Objm } from "@nats-io/obj"
import type { BrokerConnection } from "../../broker/connection.ts"
import { innerConnection } from "../../broker/nats-connection.ts"
import { type ObjectStore, openObjects, type StoredObject } from "../../broker/object-store.ts"
import { OBJECT_CHUNK_BYTES_MAX } from "../../protocol/limits.ts"
import { startBroker } from "../support/broker.ts"
import { caught } from "../support/caught.ts"

const BUCKET = "bunhouse-space1-objects"

async function open(connection: BrokerConnection): Promise<[ObjectStore, string[]]> {
  const problems: string[] = []
  const problem = (line: string): void => void problems.push(line)
  return [await openObjects(connection, { space: "space1", problem }), problems]
}

/** Bytes that differ in every chunk. */
function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 16)) & 0xff)
}

async function put(objects: ObjectStore, name: string, bytes: Uint8Array): Promise<StoredObject> {
  const writer = objects.writer()
  await writer.append(bytes)
  const { nuid, bytes: length, chunks, digest } = writer.end()
  const stored = { name, nuid, bytes: length, chunks, digest, facts: { of: name } }
  await objects.save(stored)
  return stored
}

async function read(objects: ObjectStore, stored: StoredObject): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of objects.read(stored)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function messages(connection: BrokerConnection): Promise<number> {
  const { streams } = await jetstreamManager(innerConnection(connection).nats)
  return (await streams.info(`OBJ_${BUCKET}`)).state.messages
}

const SIZES = [0, 1, OBJECT_CHUNK_BYTES_MAX, OBJECT_CHUNK_BYTES_MAX + 1, 9 * OBJECT_CHUNK_BYTES_MAX]

describe("objects in the broker", () => {
  test("are read as they were written, and found again with their facts", async () => {
    await using stack = await startBroker()
    const [objects, problems] = await open(await stack.connect())
    const all: StoredObject[] = []
    for (const size of SIZES) {
      const bytes = bytesOf(size)
      const stored = await put(objects, `ü/${size}`, bytes)
      expect(stored).toMatchObject({
        bytes: size,
        chunks: Math.ceil(size / OBJECT_CHUNK_BYTES_MAX),
      })
      expect((await read(objects, stored)).equals(bytes)).toBe(true)
      all.push(stored)
    }
    expect(await objects.all()).toMatchObject(all)
    expect(problems).toEqual([])
  })

  test("are what the library would have written", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [objects] = await open(connection)
    const bytes = bytesOf(3 * OBJECT_CHUNK_BYTES_MAX + 7)
    await put(objects, "sha256-x", bytes)
    const library = await new Objm(innerConnection(connection).nats).open(BUCKET)
    expect(Buffer.from((await library.getBlob("sha256-x")) ?? []).equals(bytes)).toBe(true)
  })

  test("are in a bucket as the library would have made it", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const { nats } = innerConnection(connection)
    await open(connection)
    await new Objm(nats).create("bunhouse-space1-other")
    const { streams } = await jetstreamManager(nats)
    const configOf = async (bucket: string) => {
      const { config } = await streams.info(`OBJ_${bucket}`)
      return JSON.parse(JSON.stringify(config).replaceAll(bucket, "x"))
    }
    expect(await configOf(BUCKET)).toEqual(await configOf("bunhouse-space1-other"))
  })

  test("leave nothing behind when they are forgotten and their chunks removed", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [objects] = await open(connection)
    const stored = await put(objects, "a", bytesOf(1_000))
    await objects.save({ ...stored, facts: "others" })
    expect(await objects.all()).toMatchObject([{ name: "a", facts: "others" }])
    await objects.forget("a")
    expect(await objects.all()).toEqual([])
    await objects.forget("never there")
    await objects.removeChunks(stored.nuid)
    expect(await messages(connection)).toBe(0)
  })

  test("that were never finished are removed when all are read, and no other", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [objects] = await open(connection)
    const stored = await put(objects, "whole", bytesOf(2 * OBJECT_CHUNK_BYTES_MAX))
    await objects.writer().append(bytesOf(3 * OBJECT_CHUNK_BYTES_MAX))
    expect(await messages(connection)).toBe(6)
    expect(await objects.all()).toMatchObject([stored])
    expect(await messages(connection)).toBe(3)
    expect((await read(objects, stored)).length).toBe(stored.bytes)
  })

  test("whose record cannot be read are left out and reported, and nothing is removed then", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [objects, problems] = await open(connection)
    await put(objects, "good", bytesOf(10))
    await objects.writer().append(bytesOf(10))
    const { nats } = innerConnection(connection)
    nats.publish(`$O.${BUCKET}.M.bad`, "{")
    await nats.flush()
    expect(await objects.all()).toMatchObject([{ name: "good" }])
    expect(problems).toEqual([
      expect.stringContaining("expected the record of an object to be JSON"),
    ])
    expect(await messages(connection)).toBe(4)
  })

  for (const damage of ["is missing", "was changed"]) {
    test(`of which a part ${damage} are never handed out whole`, async () => {
      await using stack = await startBroker()
      const connection = await stack.connect()
      const [objects] = await open(connection)
      const stored = await put(objects, "a", bytesOf(4 * OBJECT_CHUNK_BYTES_MAX))
      const { nats } = innerConnection(connection)
      const chunks = `$O.${BUCKET}.C.${stored.nuid}`
      const { streams } = await jetstreamManager(nats)
      await streams.purge(`OBJ_${BUCKET}`, { filter: chunks, keep: 3 })
      if (damage === "was changed") nats.publish(chunks, new Uint8Array(OBJECT_CHUNK_BYTES_MAX))
      await nats.flush()
      const seen: number[] = []
      const error = await caught(async () => {
        for await (const chunk of objects.read(stored)) seen.push(chunk.length)
      })
      expect(error).toMatchObject({ code: "UNAVAILABLE" })
      expect(seen.length).toBeLessThan(4)
    })
  }

  test("are read without a consumer that stays behind", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [objects] = await open(connection)
    const stored = await put(objects, "a", bytesOf(1_000_000))
    for (let i = 0; i < 3; i++) await read(objects, stored)
    await objects.all()
    const { consumers } = await jetstreamManager(innerConnection(connection).nats)
    expect(await consumers.list(`OBJ_${BUCKET}`).next()).toEqual([])
  })

  test("are refused at once when the broker is away", async () => {
    await using stack = await startBroker()
    const connection = await stack.connect()
    const [objects] = await open(connection)
    const writer = objects.writer()
    await connection.close()
    expect(await caught(() => writer.append(bytesOf(10)))).toMatchObject({ code: "UNAVAILABLE" })
  })
})
