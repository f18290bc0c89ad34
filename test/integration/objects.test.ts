import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { fn, type ObjectRef } from "../../client/index.ts"
import { OBJECT_BYTES_MAX, OBJECT_PART_BYTES_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { temporaryFolder } from "../support/folder.ts"
import { differenceOf } from "../support/same-graph.ts"
import { type Stack, startStack } from "../support/stack.ts"

setDefaultTimeout(30_000)

let stack: Stack
beforeAll(async () => void (stack = await startStack()))
afterAll(() => stack[Symbol.asyncDispose]())

/** Bytes that differ from megabyte to megabyte. */
function bytesOf(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i += 997) bytes[i] = (i * 31 + (i >> 20)) & 0xff
  return bytes
}

/** A stream of pieces of odd sizes. */
function streamOf(bytes: Uint8Array, pieceBytes = 300_007): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close()
      controller.enqueue(bytes.subarray(at, at + pieceBytes))
      at += pieceBytes
    },
  })
}

describe("objects.put() and get()", () => {
  const shared = { n: 1 }
  const cycle: unknown[] = [shared, shared]
  cycle.push(cycle)
  const values: [what: string, value: unknown][] = [
    ["undefined", undefined],
    ["an empty text", ""],
    ["-0", -0],
    ["a Map of a Set and a Date", new Map([[new Set([1n]), new Date(5)]])],
    ["shared objects and cycles", cycle],
    ["an error with its cause", new TypeError("no", { cause: new RangeError("why") })],
    [
      "typed arrays inside of a value",
      { floats: new Float64Array([1, NaN]), buffer: new ArrayBuffer(3) },
    ],
    ["what looks like a reference", { object: "sha256-x", bytes: 1 }],
    ["a value of many parts", Array.from({ length: 600_000 }, (_, i) => `text ${i}`)],
  ]
  test.each(values)("give back %s as it was put", async (_what, value) => {
    const ref = await stack.here.objects.put(value)
    expect(differenceOf(value, await stack.here.objects.get(ref))).toBeUndefined()
  })

  const sizes = [
    0,
    1,
    OBJECT_PART_BYTES_MAX - 1,
    OBJECT_PART_BYTES_MAX,
    OBJECT_PART_BYTES_MAX + 1,
    20_000_001,
  ]
  test.each(sizes)("give back %d bytes, however they were put", async (size) => {
    const { objects } = stack.here
    using folder = temporaryFolder()
    const bytes = bytesOf(size)
    await Bun.write(folder.join("file"), bytes)
    const refs = [
      await objects.put(streamOf(bytes)),
      await objects.put(new Blob([bytes])),
      await objects.put(Bun.file(folder.join("file"))),
      await objects.put(bytes),
      await objects.put(Buffer.from(bytes)),
    ]
    const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex")
    for (const ref of refs) expect(ref).toMatchObject({ object: `sha256-${sha256}`, bytes: size })
    for (const ref of refs.slice(0, 2)) {
      expect(Buffer.from(await objects.get(ref)).equals(bytes)).toBe(true)
      const streamed = await new Response(await objects.getStream(ref)).bytes()
      expect(Buffer.from(streamed).equals(bytes)).toBe(true)
    }
    expect((await objects.stat(refs[0] ?? "")).type).toBe("bytes")
  })

  test("refuse what cannot be kept, with its path, and what is no stream", async () => {
    const { objects } = stack.here
    const error = await caught(objects.put({ a: [() => 1] }))
    expect(error).toMatchObject({ code: "VALUE_NOT_SENDABLE", path: "value.a[0]" })
    const ref = await objects.put({ a: 1 })
    // @ts-expect-error it was put as a value
    expect(await caught(objects.getStream(ref))).toMatchObject({ code: "INVALID_ARGUMENT" })
    for (const name of ["", "a/b", ref.object]) {
      expect(await caught(objects.put(1, { name }))).toMatchObject({ code: "INVALID_ARGUMENT" })
    }
    expect(await caught(objects.put(1, { ttlMs: -1 }))).toMatchObject({ code: "INVALID_ARGUMENT" })
    const large = new Blob([new Uint8Array(1)])
    Object.defineProperty(large, "size", { value: OBJECT_BYTES_MAX + 1 })
    expect(await caught(objects.put(large))).toMatchObject({ code: "PAYLOAD_TOO_LARGE" })
  })
})

describe("a reference", () => {
  test("is frozen, travels as an argument and as a result, and is fetched inside of functions", async () => {
    const { objects } = stack.here
    const lab = stack.here.env("lab")
    const count = await fn(async function count(ref: ObjectRef<Map<string, number>>) {
      const { here } = await import("bunhouse")
      const values = await here.objects.get(ref)
      return await here.objects.put({ sum: [...values.values()].reduce((a, b) => a + b, 0) })
    }).to(lab)
    const onThread = await fn(function onThread(ref: ObjectRef<Map<string, number>>) {
      return import("bunhouse").then(({ here }) => here.objects.get(ref))
    }).to(lab)
    const map = new Map([
      ["a", 1],
      ["b", 2],
    ])
    const ref = await objects.put(map)
    expect(Object.isFrozen(ref)).toBe(true)
    expect(await objects.get(await count(ref))).toEqual({ sum: 3 })
    expect(await onThread.async(ref)).toEqual(map)
    expect(await objects.get(await count.async(structuredClone(ref)))).toEqual({ sum: 3 })
  })
})

describe("names", () => {
  test("find, list, rename and delete objects, whatever they are called", async () => {
    const { objects } = stack.here
    const names = ["report", "Großer Bericht", "🐇", "__proto__", "a.b.*.>", "50%"]
    for (const name of names) await objects.put({ of: name }, { name })
    expect(await objects.keys()).toEqual(names.toSorted())
    for (const name of names) {
      expect(await objects.get<{ of: string }>(name)).toEqual({ of: name })
      expect((await objects.stat(name)).names).toEqual([name])
      await objects.rename(name, `${name} 2`)
      expect(await caught(objects.get(name))).toMatchObject({ code: "NOT_FOUND" })
      expect(await objects.delete(`${name} 2`)).toBe(true)
      expect(await objects.delete(`${name} 2`)).toBe(false)
    }
    expect(await objects.keys()).toEqual([])
    expect(await caught(objects.rename("never", "x"))).toMatchObject({ code: "NOT_FOUND" })
  })

  test("of what has expired say so", async () => {
    const { objects } = stack.here
    const ref = await objects.put("soon gone", { name: "short", ttlMs: 1 })
    await Bun.sleep(2)
    for (const key of ["short", ref]) {
      const error = await caught(objects.get(key))
      expect(error).toMatchObject({ code: "NOT_FOUND", ran: "no" })
      expect(error.message).toContain(`expired at ${ref.expiresAt ?? ""}`)
    }
    expect(await objects.keys()).toEqual([])
  })
})
