import { describe, expect, test } from "bun:test"
import {
  OBJECT_BYTES_MAX,
  OBJECT_PART_BYTES_MAX,
  UPLOAD_IDLE_MS_MAX,
  UPLOADS_MAX,
} from "../../../protocol/limits.ts"
import { caught } from "../../support/caught.ts"
import { asked, type ObjectLab, sha256Of, startObjectLab } from "../../support/object-lab.ts"
import { until } from "../../support/until.ts"

async function begin(lab: ObjectLab, request: Parameters<typeof asked>[0] = {}): Promise<string> {
  const begun = await lab.objects.begin(asked(request))
  return "upload" in begun ? begun.upload : "there already"
}

const PARTS = ["one", "two", "three"].map((text) => Buffer.from(text.repeat(1_000)))
const WHOLE = Buffer.concat(PARTS)

async function send(lab: ObjectLab, upload: string, parts: readonly Uint8Array[]): Promise<void> {
  let at = 0
  for (const part of parts) at = await lab.objects.append(upload, at, part)
}

describe("an upload", () => {
  test("makes one object of its parts", async () => {
    await using lab = await startObjectLab()
    const upload = await begin(lab, { name: "n" })
    await send(lab, upload, PARTS)
    const info = await lab.objects.commit(upload, sha256Of(WHOLE))
    expect(info).toMatchObject({ object: `sha256-${sha256Of(WHOLE)}`, names: ["n"] })
    expect(await lab.text("n")).toBe(WHOLE.toString())
    expect(await caught(() => lab.objects.append(upload, 0, WHOLE))).toMatchObject({
      code: "NOT_FOUND",
    })
  })

  test("is not needed for content that the daemon has, which is held anew", async () => {
    await using lab = await startObjectLab()
    await lab.objects.putWhole(asked(), WHOLE)
    const begun = await lab.objects.begin(asked({ sha256: sha256Of(WHOLE), ttlMs: 9_000 }))
    expect(begun).toMatchObject({ object: { expiresAt: "2026-01-01T00:00:09.000Z" } })
    // An expired one is not there, and other content neither.
    lab.pass(9_000)
    for (const content of [WHOLE, Buffer.from("other")]) {
      expect(await lab.objects.begin(asked({ sha256: sha256Of(content) }))).toHaveProperty("upload")
    }
  })

  test("of the same content by many at once makes one object", async () => {
    await using lab = await startObjectLab()
    const work = Array.from({ length: 10 }, async (_, i) => {
      const upload = await begin(lab, { name: `n${i}` })
      await send(lab, upload, PARTS)
      return await lab.objects.commit(upload, sha256Of(WHOLE))
    })
    const objects = (await Promise.all(work)).map(({ object }) => object)
    expect(new Set(objects).size).toBe(1)
    expect((await lab.objects.info("n3")).names).toHaveLength(10)
    expect((await lab.objects.list()).bytes).toBe(WHOLE.length)
    // Three chunks and a record.
    expect(await lab.messages()).toBe(4)
  })

  test("with another hash is refused, and nothing of it is left", async () => {
    await using lab = await startObjectLab()
    const upload = await begin(lab)
    await send(lab, upload, PARTS)
    const error = await caught(() => lab.objects.commit(upload, sha256Of("something else")))
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" })
    expect(error.message).toContain(sha256Of(WHOLE))
    expect(await lab.messages()).toBe(0)
    expect(await lab.objects.list()).toEqual({ objects: [], bytes: 0 })
  })

  test("takes no part at another place, and goes on at the right one", async () => {
    await using lab = await startObjectLab()
    const upload = await begin(lab)
    const [first = WHOLE, second = WHOLE] = PARTS
    await lab.objects.append(upload, 0, first)
    for (const at of [0, first.length - 1, first.length + 1]) {
      const error = await caught(() => lab.objects.append(upload, at, second))
      expect(error.message).toBe(
        `expected the part that begins at ${first.length}, got one at ${at}`,
      )
    }
    await lab.objects.append(upload, first.length, second)
    const whole = Buffer.concat([first, second])
    expect((await lab.objects.commit(upload, sha256Of(whole))).bytes).toBe(whole.length)
  })

  test("takes one request at a time", async () => {
    await using lab = await startObjectLab()
    const upload = await begin(lab)
    const part = new Uint8Array(OBJECT_PART_BYTES_MAX)
    const underway = lab.objects.append(upload, 0, part)
    for (const work of [
      () => lab.objects.append(upload, 0, part),
      () => lab.objects.commit(upload, sha256Of(part)),
    ]) {
      expect(await caught(work)).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    }
    await underway
    expect((await lab.objects.commit(upload, sha256Of(part))).bytes).toBe(part.length)
  })

  test("that is abandoned leaves nothing behind, also in the middle of a part", async () => {
    await using lab = await startObjectLab()
    const idle = await begin(lab)
    await send(lab, idle, PARTS)
    lab.objects.abandon(idle)
    const busy = await begin(lab)
    const underway = lab.objects.append(busy, 0, new Uint8Array(OBJECT_PART_BYTES_MAX))
    lab.objects.abandon(busy)
    await underway
    await until(async () => (await lab.messages()) === 0, "the chunks to be removed")
    lab.objects.abandon(busy)
    expect((await lab.objects.list()).bytes).toBe(0)
  })

  test("that stands still is given up", async () => {
    await using lab = await startObjectLab()
    const [still, used] = [await begin(lab), await begin(lab)]
    await send(lab, still, PARTS)
    lab.pass(UPLOAD_IDLE_MS_MAX - 1)
    await lab.objects.sweep()
    await send(lab, used, PARTS)
    lab.pass(1)
    await lab.objects.sweep()
    const error = await caught(() => lab.objects.append(still, WHOLE.length, WHOLE))
    expect(error).toMatchObject({ code: "NOT_FOUND" })
    expect(error.message).toContain("stood still")
    await lab.objects.commit(used, sha256Of(WHOLE))
    await until(async () => (await lab.messages()) === 4, "the chunks to be removed")
  })

  test("that the daemon did not survive is removed by the next one", async () => {
    await using lab = await startObjectLab()
    await send(lab, await begin(lab), PARTS)
    expect(await lab.messages()).toBe(3)
    lab.restart()
    expect(await lab.objects.list()).toEqual({ objects: [], bytes: 0 })
    expect(await lab.messages()).toBe(0)
  })
})

describe("the bounds of uploads", () => {
  test("are told: the whole, a part, the number of them", async () => {
    await using lab = await startObjectLab(8 * OBJECT_BYTES_MAX)
    const over = await caught(() => lab.objects.begin(asked({ bytes: OBJECT_BYTES_MAX + 1 })))
    expect(over).toMatchObject({ code: "PAYLOAD_TOO_LARGE" })
    const upload = await begin(lab, { bytes: OBJECT_BYTES_MAX })
    const part = new Uint8Array(OBJECT_PART_BYTES_MAX + 1)
    expect(await caught(() => lab.objects.append(upload, 0, part))).toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    })
    for (let i = 1; i < UPLOADS_MAX; i++) await begin(lab)
    expect(await caught(() => begin(lab))).toMatchObject({ code: "OVERLOADED" })
    lab.objects.abandon(upload)
    await begin(lab)
  })

  test("count what is on its way: there is room for one of two", async () => {
    await using lab = await startObjectLab(WHOLE.length + 10)
    const [first, second] = [await begin(lab), await begin(lab)]
    await send(lab, first, PARTS)
    expect(await caught(() => lab.objects.append(second, 0, WHOLE))).toMatchObject({
      code: "OVERLOADED",
    })
    // It was given up; the other one is not harmed.
    expect(await caught(() => lab.objects.append(second, 0, WHOLE))).toMatchObject({
      code: "NOT_FOUND",
    })
    await lab.objects.commit(first, sha256Of(WHOLE))
  })
})
