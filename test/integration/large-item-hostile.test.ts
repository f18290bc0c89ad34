import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { encodeArgs, encodeItem } from "../../protocol/codec/index.ts"
import { FrameFlag, FrameType } from "../../protocol/frame.ts"
import { CutItem } from "../../protocol/streams/pieces.ts"
import { batchOf, type SeenFrame } from "../support/frames.ts"
import { startMarks } from "../support/mark.ts"
import { MIB } from "../support/memory.ts"
import { RawClient } from "../support/raw-client.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Clients that bring pieces of items which are none. Nobody else notices, and nothing is left behind. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "all calls to end")
  expect(await stack.log()).not.toContain("uncaught")
  await stack[Symbol.asyncDispose]()
})

function endOf(client: RawClient, type: FrameType): Promise<SeenFrame> {
  return until(() => client.frames.find((frame) => frame.type === type), `a frame of type ${type}`)
}

describe("pieces that are none", () => {
  const item = encodeItem(new Uint8Array(9 * MIB), 64 * MIB)

  /** A call that reads a stream which a test brings frame by frame. */
  async function reading() {
    await fn(
      async (source: AsyncIterable<unknown>) => {
        let seen = 0
        for await (const _ of source) seen++
        return seen
      },
      { name: "read" },
    ).to(stack.here)
    const client = await RawClient.connect(stack)
    client.bind("default", "read")
    client.call(1, { flags: FrameFlag.streamedArguments, payload: encodeArgs([null, [0]]) })
    await endOf(client, FrameType.credit)
    const say = (payload: Uint8Array, flags: number = FrameFlag.goesOn) => {
      client.send(batchOf(FrameType.items, { id: 1, target: 1, payload, flags }))
    }
    return { client, say, cut: new CutItem(item) }
  }

  type Say = Awaited<ReturnType<typeof reading>>

  test.each<[string, (call: Say) => void, code: string]>([
    [
      "end too early",
      ({ say, cut }) => (say(cut.take(MIB)), say(cut.take(MIB), 0)),
      "PROTOCOL_ERROR",
    ],
    [
      "have no end before that of the stream",
      ({ say, cut }) => (say(cut.take(MIB)), say(new Uint8Array(), FrameFlag.last)),
      "PROTOCOL_ERROR",
    ],
    ["are of an item that fits a frame", ({ say }) => say(firstPiece(MIB)), "PROTOCOL_ERROR"],
    [
      "are of more than the env takes",
      ({ say }) => say(firstPiece(64 * MIB + 1)),
      "PAYLOAD_TOO_LARGE",
    ],
    ["are of more than there is", ({ say }) => say(firstPiece(0xffff_ffff)), "PAYLOAD_TOO_LARGE"],
    [
      "go on behind the end",
      ({ say, cut }) => {
        for (let sent = 0; sent < 9; sent++) say(cut.take(MIB))
        for (let sent = 0; sent < 9; sent++) say(new Uint8Array(MIB).fill(0xff))
      },
      "PAYLOAD_TOO_LARGE",
    ],
  ])("because they %s fail their own call", async (_what, sayIt, code) => {
    const call = await reading()
    sayIt(call)
    const { flags, text } = await endOf(call.client, FrameType.error)
    expect(flags).toBe(FrameFlag.thrown)
    expect(text).toContain(code)
    call.client.close()
  })

  test("that come without end to a function that does not read are given up (E6)", async () => {
    await fn(
      async (source: AsyncGenerator, mark: string) => {
        void source.next().catch(() => {})
        while (!(await Bun.file(mark).exists())) await Bun.sleep(5)
        try {
          for await (const _ of source);
          return "read"
        } catch (error) {
          return String(error)
        }
      },
      { name: "ignore" },
    ).to(stack.here)
    using marks = startMarks()
    const mark = marks.next()
    const client = await RawClient.connect(stack)
    client.bind("default", "ignore")
    const payload = encodeArgs([null, mark, [0]])
    client.call(1, { flags: FrameFlag.streamedArguments, payload })
    await endOf(client, FrameType.credit)
    const small = encodeItem(new Uint8Array(MIB))
    const one = Buffer.concat([firstPiece(small.length), small])
    for (let sent = 0; !client.frames.some(isLast) && sent < 100; sent++) {
      client.send(batchOf(FrameType.items, { id: 1, target: 1, payload: one, timeoutMs: 1 }))
      await Bun.sleep(1)
    }
    await until(() => client.frames.some(isLast), "the stream to be given up")
    await Bun.write(mark, "")
    expect((await endOf(client, FrameType.reply)).text).toContain("more of a stream came")
    client.close()
  })
})

/** Nobody wants more of a stream. */
function isLast({ type, flags }: SeenFrame): boolean {
  return type === FrameType.credit && (flags & FrameFlag.last) !== 0
}

function firstPiece(length: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(length)
  return new Uint8Array(bytes)
}
