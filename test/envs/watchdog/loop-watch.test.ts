import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { openSync, readFileSync } from "node:fs"
import { RunningCall } from "../../../envs/call-context.ts"
import type { LoadedFunction } from "../../../envs/run-call.ts"
import { LoopWatch } from "../../../envs/watchdog/loop-watch.ts"
import { FrameType, FrameWriter, ReportKind } from "../../../protocol/frame.ts"
import { LOOP_SAMPLED_CALLS } from "../../../protocol/limits.ts"
import { temporaryFolder } from "../../support/folder.ts"
import { framesIn } from "../../support/frames.ts"

const fn = (): LoadedFunction => ({ name: "f", version: "1", call: () => undefined })

let writer: FrameWriter
let watch: LoopWatch
const folder = temporaryFolder()
/** Stands for the daemon's pipe. */
const told = folder.join("told")
const fd = openSync(told, "a")
beforeEach(() => {
  writer = new FrameWriter()
  watch = new LoopWatch(100, { open: () => writer }, fd)
})
// Threads of watchdogs end with the process, and one may still write: the descriptor stays theirs.
afterAll(() => folder[Symbol.dispose]())

function begun(id: number, called: LoadedFunction): RunningCall {
  const call = new RunningCall(
    { env: "lab", bootId: "boot", ownBootId: "boot.i1", payloadBytesMax: 1 << 20 },
    "f",
    id,
    id,
    0,
    () => {},
  )
  watch.begin(call, called)
  return call
}

function end(...calls: readonly RunningCall[]): void {
  for (const call of calls) watch.ended(call)
}

describe("LoopWatch", () => {
  test("names a first call that blocks before the watchdog is there (Z2)", () => {
    // A thread takes longer to start.
    watch = new LoopWatch(5, { open: () => writer }, fd)
    const call = begun(7, fn())
    Bun.sleepSync(10)
    watch.gaveWay(call)
    expect(framesIn(writer.take())).toMatchObject([
      { type: FrameType.report, target: ReportKind.loopBlocked, id: 7 },
    ])
    end(call)
  })

  test("blames no call for the time before it began (Z1)", () => {
    Bun.sleepSync(150)
    const call = begun(7, fn())
    watch.gaveWay(call)
    end(call)
    expect(framesIn(writer.take())).toEqual([])
  })

  test("has its thread tell the daemon while the loop stands still", async () => {
    const call = begun(8, fn())
    // Lets the thread start, which does not need this loop then.
    await Bun.sleep(200)
    Bun.sleepSync(400)
    watch.gaveWay(call)
    end(call)
    const lines = readFileSync(told, "utf8").trim().split("\n")
    // Those of the other tests tell of it, too, and know of no call.
    const blamed = lines.map((line): { id?: number } => JSON.parse(line)).map(({ id }) => id)
    expect(blamed).toContain(8)
  })

  test("samples the first calls of each function, and all once one has blocked (Z5)", () => {
    const [one, other] = [fn(), fn()]
    const sampled = () => {
      const call = begun(1, one)
      watch.gaveWay(call)
      end(call)
      return call.isSampled
    }
    const first = Array.from({ length: LOOP_SAMPLED_CALLS + 2 }, sampled)
    expect(first).toEqual([...first.keys()].map((n) => n < LOOP_SAMPLED_CALLS))
    const blocking = begun(2, other)
    expect(blocking.isSampled).toBe(true)
    Bun.sleepSync(150)
    watch.gaveWay(blocking)
    end(blocking)
    expect(sampled()).toBe(true)
  })
})
