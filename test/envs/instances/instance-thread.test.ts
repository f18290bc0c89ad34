import { PAYLOAD_BYTES_MAX } from "../../../protocol/limits.ts"
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { ForcedEnds } from "../../../envs/threads/forced-ends.ts"
import { InstanceThread } from "../../../envs/instances/instance-thread.ts"
import { encodeArgs } from "../../../protocol/codec/index.ts"
import { FrameType } from "../../../protocol/frame.ts"
import { caught } from "../../support/caught.ts"
import { FakeSink, noDial } from "../../support/fake-sink.ts"
import { type TemporaryFolder, temporaryFolder } from "../../support/folder.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { until } from "../../support/until.ts"

const CODE = `export default class Tally {
  n = 0
  add(by) { return (this.n += by) }
  async later(by) { await Bun.sleep(5); return (this.n += by) }
  spin() { for (;;); }
  exit() { process.exit(3) }
}`

let folder: TemporaryFolder
let sink: FakeSink
let thread: InstanceThread
beforeEach(async () => {
  folder = temporaryFolder()
  sink = new FakeSink()
  thread = await start(CODE)
})
afterEach(() => {
  thread.end("the test ended")
  folder[Symbol.dispose]()
})

async function start(code: string, timeoutMs = 5_000): Promise<InstanceThread> {
  const path = folder.join(`${crypto.randomUUID()}.mjs`)
  writeFileSync(path, code)
  const source = { name: "Tally/1", path, as: "instance", export: "default" } as const
  const facts = {
    env: "lab",
    bootId: "boot",
    ownBootId: "boot.i1",
    payloadBytesMax: PAYLOAD_BYTES_MAX,
  }
  const started = new InstanceThread({
    facts,
    forced: new ForcedEnds(sink),
    dial: noDial,
    sink,
    index: 7,
    source,
  })
  await started.load(timeoutMs)
  return started
}

function call(id: number, ...args: unknown[]): void {
  thread.run(standingOn(batchOf(FrameType.call, { id, target: 7, payload: encodeArgs(args) })))
}

const answer = (id: number) => until(() => sink.answerOf(id), `the answer of ${id}`)

describe("InstanceThread", () => {
  test("runs calls one after another, in order, promises included", async () => {
    call(1, "new")
    call(2, 1, "later", "call")
    call(3, 2, "add", "call")
    call(4, 4, "later", "call")
    expect(await answer(1)).toMatchObject({ kind: "value" })
    const values = [await answer(2), await answer(3), await answer(4)].map(({ value }) => value)
    expect(values).toEqual([1, 3, 7])
  })

  test("takes a call out of the queue without harm", async () => {
    call(1, "new")
    call(2, 1, "later", "call")
    call(3, 2, "add", "call")
    thread.cancel(3)
    expect(await answer(3)).toMatchObject({ value: { code: "CANCELLED", ran: "no" } })
    call(4, 4, "add", "call")
    expect(await answer(4)).toMatchObject({ kind: "value", value: 5 })
  })

  test.each([
    ["cancelled", "spin", () => thread.cancel(2)],
    ["ended by itself", "exit", () => {}],
    ["released", "spin", () => thread.end("it was released")],
  ])("answers each call once when it is %s (U1, U2)", async (_, method, end) => {
    call(1, "new")
    await answer(1)
    call(2, method, "call")
    call(3, 1, "add", "call")
    await Bun.sleep(20)
    end()
    expect(await answer(2)).toMatchObject({ value: { code: "WORKER_LOST", ran: "maybe" } })
    expect(await answer(3)).toMatchObject({ value: { code: "STATE_LOST", ran: "no" } })
    call(4, "check")
    thread.cancel(4)
    expect(await answer(4)).toMatchObject({ value: { code: "STATE_LOST", ran: "no" } })
  })

  test("is refused for code that cannot be loaded, or not in time", async () => {
    for (const code of ["export default 1", "export default () => 1", "throw new Error('top')"]) {
      expect((await caught(start(code))).code).toBe("DEPLOY_FAILED")
    }
    const endless = await caught(start("for (;;); export default class {}", 100))
    expect(endless).toMatchObject({ code: "DEPLOY_FAILED" })
    expect(endless.message).toContain("100 ms")
  })
})
