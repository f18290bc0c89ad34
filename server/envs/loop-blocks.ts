import { FrameReader, FrameType, FrameWriter, ReportKind } from "../../protocol/frame.ts"
import { LOOP_BLOCKS_SHOWN } from "../../protocol/limits.ts"
import { encodeLines } from "../../protocol/log-lines.ts"
import type { LoopBlock } from "../../protocol/status.ts"
import type { Call } from "../calls/call.ts"
import type { Report } from "../calls/report.ts"
import type { EnvParts } from "./parts.ts"

/** Calls that have blocked the event loop of an env: the last few, told in the daemon's log and to their callers. */
export class LoopBlocks {
  readonly #log: EnvParts["log"]
  #last: LoopBlock[] = []

  constructor(log: EnvParts["log"]) {
    this.#log = log
  }

  /** The last ones, the latest first. */
  get last(): readonly LoopBlock[] {
    return this.#last
  }

  /** `isOver` unless the loop is blocked still; `waiting` calls wait for a place there. */
  add(env: string, report: Report, waiting: number, isOver: boolean): void {
    const { kind, amount: ms, call, function: fn, others, stack } = report
    const isCertain = kind === ReportKind.loopBlocked && call !== undefined
    // What waits in the process for results of others is not on its loop.
    const onLoop = others.filter(({ lane, route }) => lane === route.env.lanes.loop)
    const candidates = fn === undefined ? onLoop.map(({ route }) => route.info.name) : [fn]
    const functions = [...new Set(candidates)].toSorted()
    // One of them did it.
    const beside = call === undefined ? Math.max(0, others.length - 1) : others.length
    const block: LoopBlock = {
      at: new Date().toISOString(),
      ms,
      functions: functions.slice(0, FUNCTIONS_SHOWN),
      isCertain,
      isOver,
      delayed: beside + waiting,
      stack,
    }
    // What was told while it lasted is told anew.
    const earlier = this.#last[0]?.isOver === false ? this.#last.slice(1) : this.#last
    this.#last = [block, ...earlier].slice(0, LOOP_BLOCKS_SHOWN)
    this.#log("loop blocked", { env, ...block })
    if (call !== undefined) warn(call, `bunhouse: ${sentence(env, block)}`)
  }
}

function sentence(env: string, block: LoopBlock): string {
  const { ms, functions, isCertain, isOver, delayed, stack } = block
  const who = `${isCertain ? "" : "probably "}${env}/${functions.join(", ")}`
  const what = isOver
    ? `${who} blocked the event loop of its env for ${ms} ms`
    : `${who} has been blocking the event loop of its env for ${ms} ms`
  const others = delayed === 1 ? "1 other call" : `${delayed} other calls`
  const where = stack[0] === undefined ? "" : ` at ${inShort(stack[0])}`
  return `${what}${where}, and ${others} waited: make it a sync function, which runs on a thread`
}

/** Without the folder of its file. */
function inShort(frame: string): string {
  return frame.replace(/(^|\()\/.*\//, "$1")
}

/** To the caller's `onLog`, as a line of the call. */
function warn(call: Call, text: string): void {
  const writer = new FrameWriter()
  const payload = encodeLines([{ stream: "stderr", timeMs: Date.now(), text }])
  writer.writeText(FrameType.log, call.callerId, 1, 0, call.serial, payload)
  const frame = new FrameReader()
  frame.open(writer.take())
  frame.next()
  call.caller?.log(call.callerId, frame, call)
}

const FUNCTIONS_SHOWN = 3
