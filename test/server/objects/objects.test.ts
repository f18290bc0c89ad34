import { describe, expect, test } from "bun:test"
import { DOWNLOADS_MAX, OBJECT_NAMES_MAX } from "../../../protocol/limits.ts"
import { caught } from "../../support/caught.ts"
import { asked, type ObjectLab, sha256Of, startObjectLab } from "../../support/object-lab.ts"

async function put(lab: ObjectLab, text: string, options: Parameters<typeof asked>[0] = {}) {
  return await lab.objects.putWhole(asked(options), Buffer.from(text))
}

async function whyNot(lab: ObjectLab, key: string): Promise<string> {
  const { code, message } = await caught(() => lab.objects.info(key))
  return `${code}: ${message}`
}

describe("putting", () => {
  test("gives the hash of the content as the id, and keeps it once", async () => {
    await using lab = await startObjectLab()
    const first = await put(lab, "content")
    expect(first).toMatchObject({ object: `sha256-${sha256Of("content")}`, bytes: 7, names: [] })
    const puts = await Promise.all(Array.from({ length: 8 }, () => put(lab, "content")))
    expect(new Set(puts.map(({ object }) => object))).toEqual(new Set([first.object]))
    expect(await lab.messages()).toBe(2)
    expect(await lab.text(first.object)).toBe("content")
  })

  test("keeps bytes apart from a value that is encoded as these bytes", async () => {
    await using lab = await startObjectLab()
    const [bytes, value] = [await put(lab, "x"), await put(lab, "x", { type: "value" })]
    expect(value.object).toBe(`value-${bytes.object}`)
    await lab.objects.delete(value.object)
    expect(await lab.text(bytes.object)).toBe("x")
  })

  test("under a name that another object has takes it from that object", async () => {
    await using lab = await startObjectLab()
    const old = await put(lab, "old", { name: "report" })
    const kept = await put(lab, "kept", { name: "other" })
    await put(lab, "kept")
    await put(lab, "new", { name: "report" })
    await put(lab, "new", { name: "other" })
    expect(await lab.text("report")).toBe("new")
    expect(await lab.text("other")).toBe("new")
    // Nobody else held the first one; the second one was put without a name, too.
    expect(await whyNot(lab, old.object)).toBe(`NOT_FOUND: there is no object "${old.object}"`)
    expect(await lab.objects.info(kept.object)).toMatchObject({ names: [] })
    expect(await lab.messages()).toBe(4)
  })

  test("is refused when there is no room, and there is room again after a deletion", async () => {
    await using lab = await startObjectLab(10)
    const { object } = await put(lab, "123456")
    const error = await caught(() => put(lab, "12345"))
    expect(error).toMatchObject({ code: "OVERLOADED" })
    expect(error.message).toContain("6 of 10")
    expect(await caught(() => lab.objects.begin(asked({ bytes: 5 })))).toMatchObject({
      code: "OVERLOADED",
    })
    await lab.objects.delete(object)
    expect(await lab.objects.list()).toEqual({ objects: [], bytes: 0 })
    await put(lab, "12345")
  })

  test("gives one object a bounded number of names", async () => {
    await using lab = await startObjectLab()
    for (let i = 0; i < OBJECT_NAMES_MAX; i++) await put(lab, "x", { name: `n${i}` })
    expect(await caught(() => put(lab, "x", { name: "more" }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    })
    await put(lab, "x", { name: "n0" })
    lab.restart()
    expect((await lab.objects.info("n7")).names).toHaveLength(OBJECT_NAMES_MAX)
  })
})

describe("names", () => {
  test("can be changed, and what had the new one loses it", async () => {
    await using lab = await startObjectLab()
    await put(lab, "a", { name: "a" })
    await put(lab, "b", { name: "b" })
    await lab.objects.rename("a", "c")
    await lab.objects.rename("c", "b")
    await lab.objects.rename("b", "b")
    expect(await lab.text("b")).toBe("a")
    for (const gone of ["a", "c"]) expect(await whyNot(lab, gone)).toContain("there is no object")
    expect((await lab.objects.list()).objects).toHaveLength(1)
    expect(await caught(() => lab.objects.rename("never", "d"))).toMatchObject({
      code: "NOT_FOUND",
    })
  })

  test("are deleted one by one, and the object with the last hold", async () => {
    await using lab = await startObjectLab()
    const { object } = await put(lab, "x", { name: "a" })
    await put(lab, "x", { name: "b" })
    await lab.objects.delete("a")
    expect(await lab.text("b")).toBe("x")
    expect(await lab.text(object)).toBe("x")
    await lab.objects.delete("b")
    expect(await whyNot(lab, object)).toContain("there is no object")
    expect(await lab.messages()).toBe(0)
  })

  test("all go with the object when it is deleted by its id", async () => {
    await using lab = await startObjectLab()
    const { object } = await put(lab, "x", { name: "a" })
    await put(lab, "x", { name: "b" })
    await lab.objects.delete(object)
    expect(await lab.objects.list()).toEqual({ objects: [], bytes: 0 })
    expect(await whyNot(lab, "a")).toContain("there is no object")
  })

  test("stand for one object each after a crash between the two writes of a change", async () => {
    await using lab = await startObjectLab()
    await put(lab, "old", { name: "n", ttlMs: 0 })
    await put(lab, "new")
    // The daemon gave the name to "new", and died before it took it from "old".
    const store = await lab.store()
    const [older, newer] = await store.all()
    if (older === undefined || newer === undefined) throw new Error("expected two objects")
    const facts = { createdAt: 1, names: [{ name: "n", until: "Infinity" }] }
    await store.save({ ...newer, facts })
    lab.restart()
    expect(await lab.text("n")).toBe("new")
    await lab.objects.sweep()
    expect(await lab.text("n")).toBe("new")
    expect((await lab.objects.list()).objects).toHaveLength(1)
  })
})

describe("expiry", () => {
  test("ends an object, which then says so, before and after it was swept", async () => {
    await using lab = await startObjectLab()
    const { object } = await put(lab, "x", { name: "n" })
    expect((await lab.objects.info("n")).expiresAt).toBe("2026-01-01T00:00:01.000Z")
    lab.pass(999)
    expect(await lab.text("n")).toBe("x")
    lab.pass(1)
    for (const when of ["before", "after"]) {
      for (const key of ["n", object]) {
        const said = `NOT_FOUND: the object "${key}" expired at 2026-01-01T00:00:01.000Z`
        expect([when, await whyNot(lab, key)]).toEqual([when, said])
      }
      expect((await lab.objects.list()).objects).toEqual([])
      await lab.objects.sweep()
    }
    expect(await lab.messages()).toBe(0)
    await put(lab, "x", { name: "n" })
    expect(await lab.text("n")).toBe("x")
  })

  test("is put off by every put of the content, and never comes with 0", async () => {
    await using lab = await startObjectLab()
    const { object } = await put(lab, "x", { ttlMs: 1_000 })
    await put(lab, "x", { ttlMs: 5_000 })
    await put(lab, "x", { ttlMs: 1_000 })
    lab.pass(4_999)
    expect(await lab.text(object)).toBe("x")
    const info = await put(lab, "x", { ttlMs: 0 })
    expect(info).not.toHaveProperty("expiresAt")
    lab.pass(1e12)
    await lab.objects.sweep()
    lab.restart()
    expect(await lab.text(object)).toBe("x")
  })

  test("ends each name at its own time", async () => {
    await using lab = await startObjectLab()
    const { object } = await put(lab, "x", { name: "short", ttlMs: 1_000 })
    await put(lab, "x", { name: "long", ttlMs: 2_000 })
    lab.pass(1_500)
    await lab.objects.sweep()
    expect(await whyNot(lab, "short")).toContain("expired at")
    expect(await lab.objects.info(object)).toMatchObject({ names: ["long"] })
    lab.pass(500)
    await lab.objects.sweep()
    expect(await whyNot(lab, object)).toContain("expired at 2026-01-01T00:00:02")
  })

  test("counts the time in which no daemon ran", async () => {
    await using lab = await startObjectLab()
    await put(lab, "x", { name: "n" })
    lab.pass(1_000)
    lab.restart()
    expect(await whyNot(lab, "n")).toContain("expired at")
    await lab.objects.sweep()
    expect(await lab.messages()).toBe(0)
  })
})

describe("a reader", () => {
  test("reads to the end what is deleted meanwhile; then nothing of it is left", async () => {
    await using lab = await startObjectLab()
    const text = "0123456789abcdef".repeat(100_000)
    const { object } = await put(lab, text)
    const { chunks, release } = await lab.objects.read(object)
    const first = await chunks.next()
    await lab.objects.delete(object)
    expect(await whyNot(lab, object)).toContain("there is no object")
    // The room is taken still, and the same content may be put again.
    expect((await lab.objects.list()).bytes).toBe(text.length)
    await put(lab, text)
    let seen = Buffer.from(first.value ?? []).toString()
    for await (const chunk of chunks) seen += Buffer.from(chunk).toString()
    expect(seen === text).toBe(true)
    release()
    await lab.objects.sweep()
    expect((await lab.objects.list()).bytes).toBe(text.length)
    expect(await lab.text(object)).toBe(text)
    expect(await lab.messages()).toBe(5)
  })

  test("is refused when too many read", async () => {
    await using lab = await startObjectLab()
    const { object } = await put(lab, "x")
    const read = () => lab.objects.read(object)
    const readers = await Promise.all(Array.from({ length: DOWNLOADS_MAX }, read))
    expect(await caught(read)).toMatchObject({ code: "OVERLOADED", retryAfterMs: 1_000 })
    readers[0]?.release()
    await read()
  })
})
