import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { encodeArgs } from "../../protocol/codec/index.ts"
import { FrameFlag, FrameType } from "../../protocol/frame.ts"
import { caught } from "../support/caught.ts"
import { batchOf, joined, type SeenFrame } from "../support/frames.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { MIB } from "../support/memory.ts"
import { sendSignal } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

const LARGE = 9 * MIB

let stack: Stack
let marks: Marks
beforeEach(async () => {
  stack = await startStack()
  marks = startMarks()
})
afterEach(async () => {
  await nothingIsLeft()
  expect(await stack.log()).not.toContain("uncaught")
  await stack[Symbol.asyncDispose]()
  marks[Symbol.dispose]()
})

/** No call is in flight, and no place in an env is taken. */
async function nothingIsLeft(): Promise<void> {
  await until(async () => {
    const { callsInFlight, envs } = await stack.here.status()
    return callsInFlight === 0 && envs.every(({ running, queued }) => running + queued === 0)
  }, "no call to be left, and no place to be taken")
}

/** Large items, more than anybody reads; leaves `mark` when it ends. */
async function sendLarge() {
  const onLoop = await fn(
    async function* (bytes: number, mark: string) {
      try {
        for (let i = 0; i < 100; i++) yield new Uint8Array(bytes)
      } finally {
        await Bun.write(mark, "")
      }
    },
    { name: "large" },
  ).to(stack.here)
  const onThread = await fn(
    function* (bytes: number, mark: string) {
      const { writeFileSync } = require("node:fs")
      try {
        for (let i = 0; i < 100; i++) yield new Uint8Array(bytes)
      } finally {
        writeFileSync(mark, "")
      }
    },
    { name: "largeOnThread" },
  ).to(stack.here)
  return { onLoop, onThread }
}

/** A reader that has had 1 MiB of a large item, and grants no more. */
async function inTheMiddle(name: string, mark: string): Promise<RawClient> {
  const client = await RawClient.connect(stack)
  client.bind("default", name)
  const payload = encodeArgs([LARGE, mark])
  const flags = FrameFlag.stream
  client.send(
    joined(
      batchOf(FrameType.call, { id: 1, target: 1, timeoutMs: 10_000, flags, payload }),
      batchOf(FrameType.credit, { id: 1, target: 9, timeoutMs: MIB }),
    ),
  )
  await until(() => piecesSeen(client).length === 2, "two pieces")
  return client
}

function piecesSeen({ frames }: RawClient): SeenFrame[] {
  return frames.filter(({ type, flags }) => {
    return type === FrameType.items && (flags & FrameFlag.goesOn) !== 0
  })
}

function endOf(client: RawClient, type: FrameType): Promise<SeenFrame> {
  return until(() => client.frames.find((frame) => frame.type === type), "the end of the call")
}

describe.each(["large", "largeOnThread"])("in the middle of a large item (%s)", (name) => {
  test("a reader that grants nothing makes it wait; a cancel ends the generator", async () => {
    await sendLarge()
    const mark = marks.next()
    const client = await inTheMiddle(name, mark)
    await Bun.sleep(50)
    expect(piecesSeen(client)).toHaveLength(2)
    expect(isMarked(mark)).toBe(false)
    client.send(batchOf(FrameType.cancel, { id: 1 }))
    await until(() => isMarked(mark), "the generator's finally")
    await nothingIsLeft()
    expect(piecesSeen(client)).toHaveLength(2)
    client.close()
  })

  test("a reader that goes away ends the generator", async () => {
    await sendLarge()
    const mark = marks.next()
    const client = await inTheMiddle(name, mark)
    client.close()
    await until(() => isMarked(mark), "the generator's finally")
  })

  test("the env process is killed, and its caller hears of it", async () => {
    await sendLarge()
    const client = await inTheMiddle(name, marks.next())
    sendSignal((await stack.here.env("default").status())?.pid ?? 0, "SIGKILL")
    expect((await endOf(client, FrameType.error)).text).toContain("WORKER_LOST")
    client.close()
  })

  test("the deadline ends it", async () => {
    const { onLoop, onThread } = await sendLarge()
    const call = (name === "large" ? onLoop : onThread).with({ timeoutMs: 300 })
    const mark = marks.next()
    const error = await caught(async () => {
      for await (const _ of call.async(60 * MIB, mark)) {
        // Reads on.
      }
    })
    expect(error.code).toBe("DEADLINE_EXCEEDED")
    await until(() => isMarked(mark), "the generator's finally")
  })
})

describe("a reader that breaks off", () => {
  test("before an item is whole, or behind it, ends the generator", async () => {
    const { onLoop, onThread } = await sendLarge()
    for (const call of [onLoop, onThread.async]) {
      const early = marks.next()
      const items = call(60 * MIB, early)
      const first = items.next()
      await Bun.sleep(30)
      await items.return(undefined)
      await first
      await until(() => isMarked(early), "the generator's finally")
      const late = marks.next()
      for await (const item of call(LARGE, late)) {
        expect(item).toHaveLength(LARGE)
        break
      }
      await until(() => isMarked(late), "the generator's finally")
    }
    for (const call of [onLoop.sync, onThread]) {
      const mark = marks.next()
      for (const item of call(LARGE, mark)) {
        expect(item).toHaveLength(LARGE)
        break
      }
      await until(() => isMarked(mark), "the generator's finally")
    }
  }, 30_000)

  test("a function that stops in the middle of an item of an argument ends its source", async () => {
    const stop = await fn(
      async (source: AsyncGenerator<Uint8Array>) => {
        const first = source.next()
        await Bun.sleep(20)
        await source.return(undefined)
        await first
        return "stopped"
      },
      { name: "stop" },
    ).to(stack.here)
    let hasEnded = false
    async function* endless() {
      try {
        for (;;) yield new Uint8Array(60 * MIB)
      } finally {
        hasEnded = true
      }
    }
    expect(await stop(endless())).toBe("stopped")
    await until(() => hasEnded, "the source to end")
  })
})
