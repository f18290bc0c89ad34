import { beforeEach, describe, expect, test } from "bun:test"
import { RunningCall } from "../../../envs/call-context.ts"
import { LoopWatch } from "../../../envs/watchdog/loop-watch.ts"
import { FrameType, FrameWriter, ReportKind } from "../../../protocol/frame.ts"
import { framesIn } from "../../support/frames.ts"

let writer: FrameWriter
let watch: LoopWatch
beforeEach(() => {
  writer = new FrameWriter()
  watch = new LoopWatch(100, { open: () => writer })
})

function begun(id: number): RunningCall {
  const call = new RunningCall({ env: "lab", bootId: "boot" }, "f", id, id, 0, () => {})
  watch.begin(call.id)
  return call
}

function end(...calls: readonly RunningCall[]): void {
  for (const call of calls) watch.ended(call)
}

describe("LoopWatch", () => {
  test("names a first call that blocks before the watchdog is there (Z2)", () => {
    // A thread takes longer to start.
    watch = new LoopWatch(5, { open: () => writer })
    const call = begun(7)
    Bun.sleepSync(10)
    watch.gaveWay(call)
    expect(framesIn(writer.take())).toMatchObject([
      { type: FrameType.report, target: ReportKind.loopBlocked, id: 7 },
    ])
    end(call)
  })

  test("blames no call for the time before it began (Z1)", () => {
    Bun.sleepSync(150)
    const call = begun(7)
    watch.gaveWay(call)
    end(call)
    expect(framesIn(writer.take())).toEqual([])
  })
})
