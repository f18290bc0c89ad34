import { describe, expect, setDefaultTimeout, test } from "bun:test"
import type { Daemon } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { ask } from "../support/http.ts"
import { MIB } from "../support/memory.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"
import { sendSignal } from "../support/processes.ts"

setDefaultTimeout(60_000)

/** Objects when something goes wrong: sources that fail, readers that dawdle, restarts in between, too much of it. */

/** `pieces` of a mebibyte, each different; the piece `failAt` is an error instead. */
function megabytes(pieces: number, failAt = Infinity): ReadableStream<Uint8Array> {
  let i = 0
  return new ReadableStream(
    {
      pull(controller) {
        if (i >= pieces) return controller.close()
        if (i === failAt) return controller.error(new RangeError("the source broke"))
        controller.enqueue(new Uint8Array(MIB).fill(i++))
      },
    },
    { highWaterMark: 0 },
  )
}

async function bytesTaken(stack: Stack): Promise<number> {
  const { json } = await ask(stack, "GET", "/v1/objects")
  return typeof json === "object" && json !== null && "bytes" in json ? Number(json.bytes) : NaN
}

async function mebibytesIn(stream: ReadableStream<Uint8Array>): Promise<number> {
  const hash = new Bun.CryptoHasher("sha256")
  let bytes = 0
  for await (const chunk of stream) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return bytes / MIB
}

async function rssOf(here: Daemon): Promise<number> {
  return (await here.status()).rssBytes
}

describe("a large object", () => {
  test("of 160 MiB passes through client and daemon in bounded memory", async () => {
    await using stack = await startStack()
    const { here } = stack
    await here.objects.put(megabytes(8))
    Bun.gc(true)
    const before = { daemon: await rssOf(here), client: process.memoryUsage.rss() }
    const peak = { ...before }
    const watch = setInterval(() => {
      // Held is what the collector leaves: in this process it has other tests to clean up after as well.
      Bun.gc(true)
      peak.client = Math.max(peak.client, process.memoryUsage.rss())
      void rssOf(here).then((rss) => (peak.daemon = Math.max(peak.daemon, rss)))
    }, 50)
    const ref = await here.objects.put(megabytes(160))
    const stream = await here.objects.getStream(ref)
    expect(await mebibytesIn(stream)).toBe(160)
    clearInterval(watch)
    expect(ref.bytes).toBe(160 * MIB)
    expect((peak.daemon - before.daemon) / MIB).toBeLessThan(120)
    expect((peak.client - before.client) / MIB).toBeLessThan(100)
  })

  test("that is deleted is read to its end, and removed when the last reader has gone", async () => {
    await using stack = await startStack()
    const { objects } = stack.here
    const ref = await objects.put(megabytes(20))
    const reading = await objects.getStream(ref)
    const dawdling = (await objects.getStream(ref)).getReader()
    await dawdling.read()
    expect(await objects.delete(ref)).toBe(true)
    expect(await caught(objects.get(ref))).toMatchObject({ code: "NOT_FOUND" })
    // It is put again while the one that was deleted is still read.
    const again = await objects.put(megabytes(20))
    expect(again.object).toBe(ref.object)
    expect(await mebibytesIn(reading)).toBe(20)
    expect(await bytesTaken(stack)).toBe(40 * MIB)
    await dawdling.cancel()
    await until(async () => (await bytesTaken(stack)) === 20 * MIB, "the old one to be removed")
    expect(await mebibytesIn(await objects.getStream(again))).toBe(20)
  })
})

describe("an upload", () => {
  test("whose source fails, fails as the source did, and leaves nothing behind", async () => {
    await using stack = await startStack()
    const put = stack.here.objects.put(megabytes(20, 13), { name: "n" })
    expect(await put.catch((error: unknown) => error)).toEqual(new RangeError("the source broke"))
    await until(async () => (await bytesTaken(stack)) === 0, "the upload to be given up")
    expect(await stack.here.objects.keys()).toEqual([])
  })

  test("that is not finished when the daemon is killed leaves nothing behind", async () => {
    await using stack = await startStack()
    const kept = await stack.here.objects.put(megabytes(5), { name: "kept" })
    const { promise: never } = Promise.withResolvers<never>()
    const { promise: partsSent, resolve } = Promise.withResolvers<void>()
    let pieces = 0
    const put = stack.here.objects.put(
      new ReadableStream<Uint8Array>({
        async pull(controller) {
          if (pieces++ < 10) return controller.enqueue(new Uint8Array(MIB))
          resolve()
          await never
        },
      }),
    )
    put.catch(() => {})
    await partsSent
    await until(async () => (await bytesTaken(stack)) >= 9 * MIB, "a part to arrive")
    await stack.kill()
    await stack.startAgain()
    expect(await bytesTaken(stack)).toBe(5 * MIB)
    expect((await stack.here.objects.get(kept)).length).toBe(5 * MIB)
    expect(await stack.here.objects.keys()).toEqual(["kept"])
  })

  test("during which the broker is killed fails or ends well, and can be done again", async () => {
    await using stack = await startStack()
    const { objects } = stack.here
    const before = (await stack.here.status()).broker
    let pieces = 0
    const source = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pieces++ === 12) sendSignal(before.pid, "SIGKILL")
        if (pieces > 24) return controller.close()
        controller.enqueue(new Uint8Array(MIB).fill(pieces))
      },
    })
    expect(await caught(objects.put(source))).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    await until(async () => (await stack.here.status()).broker.connected, "the broker to be back")
    const ref = await objects.put(megabytes(24))
    expect(await mebibytesIn(await objects.getStream(ref))).toBe(24)
  })
})

describe("a restart", () => {
  test("keeps objects, names and times, and finds them by the same references", async () => {
    await using stack = await startStack()
    const { objects } = stack.here
    const value = await objects.put({ kept: true }, { name: "value", ttlMs: 0 })
    const bytes = await objects.put(megabytes(6), { name: "bytes" })
    await objects.rename("value", "renamed")
    const infos = [await objects.stat(value), await objects.stat("bytes")]
    await stack.stop()
    await stack.startAgain()
    expect([await objects.stat("renamed"), await objects.stat(bytes)]).toEqual(infos)
    expect(await objects.get(value)).toEqual({ kept: true })
    expect(await objects.keys()).toEqual(["bytes", "renamed"])
    expect((await objects.put({ kept: true })).object).toBe(value.object)
  })

  test("while an object is read breaks the reading off, which says so", async () => {
    await using stack = await startStack()
    const ref = await stack.here.objects.put(megabytes(40))
    const reader = (await stack.here.objects.getStream(ref)).getReader()
    await reader.read()
    await stack.kill()
    const error = await caught(async () => {
      while (!(await reader.read()).done);
    })
    expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    await stack.startAgain()
    expect((await stack.here.objects.get(ref)).length).toBe(40 * MIB)
  })
})

describe("the room for objects", () => {
  test("is what BUNHOUSE_OBJECTS_BYTES_MAX says", async () => {
    await using stack = await startStack({
      variables: { BUNHOUSE_OBJECTS_BYTES_MAX: String(10 * MIB) },
    })
    const { objects } = stack.here
    const ref = await objects.put(megabytes(8))
    for (const work of [
      () => objects.put(megabytes(6)),
      () => objects.put(new Uint8Array(3 * MIB)),
    ]) {
      const error = await caught(work)
      expect(error).toMatchObject({ code: "OVERLOADED", ran: "no" })
      expect(error.message).toContain(`of ${10 * MIB}`)
    }
    await until(async () => (await bytesTaken(stack)) === 8 * MIB, "the rest to be given up")
    expect(await objects.delete(ref)).toBe(true)
    expect((await objects.put(megabytes(6))).bytes).toBe(6 * MIB)
  })
})
