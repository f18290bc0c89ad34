import { describe, expect, test } from "bun:test"
import { downloadStream } from "../../../server/http/download-stream.ts"
import type { Download } from "../../../server/objects/objects.ts"
import { until } from "../../support/until.ts"

/** A download of `pieces`; an error among them is thrown. `released` counts. */
function downloadOf(pieces: readonly (string | Error)[]) {
  const seen = { read: 0, released: 0 }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) {
      seen.read++
      if (piece instanceof Error) throw piece
      yield Buffer.from(piece)
    }
  }
  const bytes = 0
  const info = { object: "x", bytes, type: "bytes", names: [], createdAt: "" } as const
  const download: Download = { info, chunks: chunks(), release: () => void seen.released++ }
  return { seen, download }
}

describe("downloadStream()", () => {
  test("gives all chunks, and releases the object once at the end", async () => {
    for (const pieces of [[], ["a"], ["a", "b", "c"]]) {
      const { seen, download } = downloadOf(pieces)
      expect(await new Response(await downloadStream(download)).text()).toBe(pieces.join(""))
      expect(seen.released).toBe(1)
    }
  })

  test("reads no further than what was taken and one chunk", async () => {
    const { seen, download } = downloadOf(["a", "b", "c", "d"])
    const reader = (await downloadStream(download)).getReader()
    expect(seen.read).toBe(1)
    await reader.read()
    await reader.read()
    expect(seen.read).toBe(2)
    await reader.cancel()
    expect(seen).toEqual({ read: 2, released: 1 })
  })

  test("rejects for what fails at once, and breaks for what fails later; both release", async () => {
    const early = downloadOf([new Error("early")])
    expect(await downloadStream(early.download).catch(String)).toBe("Error: early")
    const late = downloadOf(["a", new Error("late")])
    const reader = (await downloadStream(late.download)).getReader()
    expect((await reader.read()).done).toBe(false)
    expect(await reader.read().catch(String)).toBe("Error: late")
    expect([early.seen.released, late.seen.released]).toEqual([1, 1])
  })

  test("cuts off a reader that takes nothing, whether it has begun or not", async () => {
    for (const taken of [0, 1]) {
      const { seen, download } = downloadOf(["a", "b", "c"])
      const reader = (await downloadStream(download, 1)).getReader()
      for (let i = 0; i < taken; i++) await reader.read()
      await until(() => seen.released === 1, "the object to be released")
      const end = await reader.read().catch(String)
      expect(end).toContain("nothing was read for 1 ms")
      expect(seen.released).toBe(1)
    }
  })
})
