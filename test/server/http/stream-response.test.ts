import { beforeEach, describe, expect, test } from "bun:test"
import { FrameFlag, FrameType } from "../../../protocol/frame.ts"
import { PART_BYTES_MAX, PAYLOAD_BYTES_MAX } from "../../../protocol/limits.ts"
import { CutItem } from "../../../protocol/streams/pieces.ts"
import { streamResponse } from "../../../server/http/stream-response.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { Lab } from "../../support/lab.ts"

let lab: Lab
beforeEach(() => {
  lab = new Lab()
})

/** A call whose env process says what a test says, and the text that answers it. */
function answered(accept = "*/*") {
  const flags = FrameFlag.json | FrameFlag.stream
  const frame = standingOn(batchOf(FrameType.call, { flags, payload: "[]" }))
  const request = new Request("http://localhost/", { headers: { accept } })
  const response = streamResponse({ desk: lab.desk, route: lab.route, frame, request })
  const { link } = lab.env
  const id = link?.calls[0]?.id ?? 0
  const say = (type: FrameType, parts: Parameters<typeof batchOf>[1]) => {
    if (link !== undefined)
      lab.dispatcher.replies(link, standingOn(batchOf(type, { id, ...parts })))
  }
  const piece = (payload: Uint8Array, goesOn: boolean, count = 0) => {
    say(FrameType.items, { payload, timeoutMs: count, flags: goesOn ? FrameFlag.goesOn : 0 })
  }
  return { response, say, piece }
}

const LARGE = PAYLOAD_BYTES_MAX + 100

describe("an item in pieces", () => {
  test("is written as they come, with nothing between them (SR3)", async () => {
    const { response, say, piece } = answered()
    const cut = new CutItem(Buffer.from(`"${"x".repeat(LARGE - 2)}"`))
    const reader = response.body?.getReader()
    const texts: string[] = []
    for (let count = 1; cut.left > 0; count = 0) {
      piece(cut.take(PART_BYTES_MAX), cut.left > 0, count)
      texts.push(Buffer.from((await reader?.read())?.value ?? []).toString())
    }
    expect(texts[0]).toHaveLength('{"item":'.length + PART_BYTES_MAX)
    expect(texts[1]).toBe("x".repeat(PART_BYTES_MAX))
    expect(texts.at(-1)).toEndWith('x"}\n')
    expect(JSON.parse(texts.join("")).item).toHaveLength(LARGE - 2)
    say(FrameType.reply, { payload: '{"ok":true}\n' })
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('{"ok":true}\n')
    lab.expectIdle()
  })

  test.each([
    ["*/*", /^\{"item":xxx\n(.*)\n$/],
    ["text/event-stream", /^data: xxx\n\nevent: error\ndata: (.*)\n\n$/],
  ])(
    "that the call fails in the middle of leaves its line cut short (%s)",
    async (accept, shape) => {
      const { response, say, piece } = answered(accept)
      piece(new CutItem(Buffer.from("x".repeat(LARGE))).take(3), true, 1)
      say(FrameType.error, {
        payload: JSON.stringify({ code: "DEADLINE_EXCEEDED", message: "late" }),
      })
      const [, end] = shape.exec(await response.text()) ?? []
      expect(JSON.parse(end ?? "")).toMatchObject({
        ok: false,
        error: { code: "DEADLINE_EXCEEDED" },
      })
    },
  )

  test("whose last piece is missing ends the answer with an error", async () => {
    const { response, say, piece } = answered()
    piece(new CutItem(Buffer.from("x".repeat(LARGE))).take(3), true, 1)
    say(FrameType.reply, { payload: '{"ok":true}\n' })
    const [, end] = (await response.text()).split("\n")
    expect(JSON.parse(end ?? "")).toMatchObject({ ok: false, error: { code: "PROTOCOL_ERROR" } })
  })

  test("and any other bytes that are no items, cancel the call and harm nobody", async () => {
    const { response, piece } = answered()
    piece(new Uint8Array(3), false, 1)
    const [end] = (await response.text()).split("\n")
    expect(JSON.parse(end ?? "")).toMatchObject({ ok: false, error: { code: "PROTOCOL_ERROR" } })
    expect(lab.env.link?.cancels).toHaveLength(1)
  })
})
