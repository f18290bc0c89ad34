import { describe, expect, test } from "bun:test"
import { BATCH_PREFIX_BYTES, FrameReader, FrameType, HEADER_BYTES } from "../../protocol/frame.ts"
import { BATCH_BYTES_TARGET } from "../../protocol/limits.ts"
import { Outbox, type OutboxOptions } from "../../protocol/outbox.ts"
import { until } from "../support/until.ts"

function setUp(flushAfter: OutboxOptions["flushAfter"], messageBytesMax = 8 * 1024 * 1024) {
  const batches: Uint8Array[] = []
  const outbox = new Outbox({
    send: (batch) => void batches.push(batch),
    messageBytesMax,
    flushAfter,
  })
  /** Writes one frame of `bytes` in all. */
  const write = (id: number, bytes = HEADER_BYTES): void => {
    const payload = new Uint8Array(bytes - HEADER_BYTES)
    outbox.open(bytes).write(FrameType.call, 0, id, 0, 0, 0, payload)
  }
  return { outbox, batches, write }
}

function idsOf(batch: Uint8Array): number[] {
  const reader = new FrameReader()
  reader.open(batch)
  const ids: number[] = []
  while (reader.next()) ids.push(reader.id)
  return ids
}

describe.each(["microtasks", "turn"] as const)("Outbox that flushes after %s", (flushAfter) => {
  test("sends what was written together as one message", async () => {
    const { batches, write } = setUp(flushAfter)
    for (let id = 0; id < 100; id++) write(id)
    expect(batches).toHaveLength(0)
    await until(() => batches.length > 0, "a message")
    expect(batches.map(idsOf)).toEqual([Array.from({ length: 100 }, (_, id) => id)])
  })

  test("a lone frame leaves in the same turn, before a timer of 0 ms (O1)", async () => {
    const { batches, write } = setUp(flushAfter)
    for (let round = 1; round <= 3; round++) {
      const { promise, resolve } = Promise.withResolvers<number>()
      write(round)
      setTimeout(() => resolve(batches.length), 0)
      expect(await promise).toBe(round)
    }
  })

  test("keeps the order of frames over many messages, and loses none (O2)", async () => {
    const messageBytesMax = 10_000
    const { batches, write } = setUp(flushAfter, messageBytesMax)
    let id = 0
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 50; i++) write(id++, HEADER_BYTES + ((id * 37) % 3_000))
      await Promise.resolve()
    }
    await until(() => batches.flatMap(idsOf).length === id, "all frames to be sent")
    expect(batches.flatMap(idsOf)).toEqual(Array.from({ length: id }, (_, k) => k))
    for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(messageBytesMax)
  })

  test("a frame larger than a message may be travels alone (O2)", async () => {
    const { batches, write } = setUp(flushAfter, 10_000)
    write(1)
    write(2, 50_000)
    write(3)
    await until(() => batches.length === 3, "three messages")
    expect(batches.map(idsOf)).toEqual([[1], [2], [3]])
  })

  test("does not collect more than the target in one message", () => {
    const { batches, write, outbox } = setUp(flushAfter)
    for (let id = 0; id < 8; id++) write(id, BATCH_BYTES_TARGET / 2)
    outbox.flush()
    expect(batches.flatMap(idsOf)).toHaveLength(8)
    for (const batch of batches) {
      expect(batch.length).toBeLessThan(BATCH_BYTES_TARGET * 2 + BATCH_PREFIX_BYTES)
    }
  })

  test("flush() sends at once; nothing is sent twice, and nothing at all when nothing was written", async () => {
    const { batches, write, outbox } = setUp(flushAfter)
    outbox.flush()
    write(1)
    outbox.flush()
    outbox.flush()
    expect(batches.map(idsOf)).toEqual([[1]])
    await Bun.sleep(5)
    expect(batches).toHaveLength(1)
  })
})

test("microtasks: frames of promises that follow one another share a message", async () => {
  const { batches, write } = setUp("microtasks")
  write(0)
  void (async () => {
    for (let id = 1; id <= 10; id++) {
      await Promise.resolve()
      write(id)
    }
  })()
  await until(() => batches.flatMap(idsOf).length === 11, "all frames to be sent")
  expect(batches).toHaveLength(1)
})

test("microtasks: frames of many timers that fire together share few messages", async () => {
  const { batches, write } = setUp("microtasks")
  let id = 0
  for (let i = 0; i < 1_000; i++) setTimeout(() => write(id++), 5)
  await until(() => batches.flatMap(idsOf).length === 1_000, "all frames to be sent")
  expect(batches.flatMap(idsOf)).toEqual(Array.from({ length: 1_000 }, (_, k) => k))
  expect(batches.length).toBeLessThan(100)
})

test("microtasks: the steps of a turn wait for none of each other (O1)", async () => {
  const { batches, write } = setUp("microtasks")
  const left: number[] = []
  // Each step of the turn finds that what the one before it has written has left.
  await new Promise<void>((resolve) => {
    for (let id = 0; id < 5; id++) {
      setTimeout(() => {
        left.push(batches.flatMap(idsOf).length)
        write(id)
        if (id === 4) resolve()
      }, 5)
    }
  })
  expect(left).toEqual([0, 1, 2, 3, 4])
})

test("microtasks: code that writes for ever does not keep its frames back (O1)", async () => {
  const { batches, write } = setUp("microtasks")
  let written = 0
  while (batches.length === 0 && written < 10_000) {
    write(written++)
    await Promise.resolve()
  }
  expect(batches.length).toBeGreaterThan(0)
  expect(written).toBeLessThan(200)
})
