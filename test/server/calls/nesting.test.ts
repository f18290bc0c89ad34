import { beforeEach, describe, expect, test } from "bun:test"
import { FrameType } from "../../../protocol/frame.ts"
import { callIdOf } from "../../../protocol/hello.ts"
import { NESTING_MAX } from "../../../protocol/limits.ts"
import type { Call } from "../../../server/calls/call.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { Lab } from "../../support/lab.ts"

let lab: Lab
beforeEach(() => {
  lab = new Lab()
})

/** Makes a call with metadata; `id` is the caller's. */
function submit(id: number, extra: object, to = lab.route): Call | undefined {
  const batch = batchOf(FrameType.call, { id, extra: JSON.stringify(extra) })
  return lab.desk.submit(lab.caller, standingOn(batch), to)
}

/** What a function says that is blocked in `call`. */
function blockedIn(call: Call | undefined, bootId = "boot") {
  const { id = 0, serial = 0 } = call ?? {}
  return { depth: 1, root: "boot-1", blocks: { known: { id, callId: callIdOf(bootId, serial) } } }
}

describe("a nested call", () => {
  test("is refused one level too deep, with the length of the chain", () => {
    expect(submit(1, { depth: NESTING_MAX, root: "boot-1" })).toBeDefined()
    expect(submit(2, { depth: NESTING_MAX + 1, root: "boot-1" })).toBeUndefined()
    const error = lab.caller.errorOf(2)
    expect(error).toMatchObject({ code: "DEADLOCK", ran: "no", function: "f" })
    expect(error.message).toContain(`${NESTING_MAX + 1} calls`)
    expect(error.message).toContain("boot-1")
  })

  test.each([{}, { key: "k" }])(
    "that blocks is refused when all places are held by what waits for it (%p)",
    (more) => {
      const first = submit(1, more)
      const held = more.key === undefined ? first : lab.dispatcher.callOf(sentId(0))
      const second = submit(2, blockedIn(held))
      expect(second).toBeDefined()
      // Two places.
      expect(submit(3, blockedIn(second))).toBeUndefined()
      expect(lab.caller.errorOf(3)).toMatchObject({ code: "DEADLOCK", ran: "no" })
      lab.env.reply(lab.dispatcher, second?.id ?? 0, "ok")
      expect(submit(4, blockedIn(held))).toBeDefined()
    },
  )

  test("that blocks is refused where its env's own calls hold all threads, with those around them", () => {
    const onThread = lab.env.add("g", { run: "thread", index: 8 })
    lab.env.lanes.thread.limit = 2
    const first = submit(1, {}, onThread)
    const known = blockedIn(first).blocks.known
    expect(submit(2, { depth: 2, blocks: { own: own(1) } }, onThread)).toBeDefined()
    expect(submit(3, { depth: 2, blocks: { known, own: own(1) } }, onThread)).toBeUndefined()
    expect(lab.caller.errorOf(3)).toMatchObject({ code: "DEADLOCK", ran: "no", function: "g" })
    const far = { depth: 2, blocks: { known, own: { ...own(1), env: "far" } } }
    expect(submit(4, far, onThread)).toBeDefined()
  })

  test("waits for a place that anybody else has", () => {
    const [first] = [submit(1, {}), submit(2, {})]
    expect(submit(3, blockedIn(first))?.state).toBe("waiting")
  })

  test.each([
    ["is of another daemon", () => blockedIn(submit(1, {}), "other")],
    [
      "has ended",
      () => {
        const call = submit(1, {})
        lab.env.reply(lab.dispatcher, call?.id ?? 0, "ok")
        return blockedIn(call)
      },
    ],
    ["is none", () => ({ depth: 1, blocks: { known: { id: 0xffff_ffff, callId: "boot-9" } } })],
    ["holds a thread, not the loop", () => ({ depth: 1, blocks: { own: own(1) } })],
  ])("is taken for one that blocks nothing where the call %s", (_what, extra) => {
    const said = extra()
    lab.env.lanes.loop.limit = 1
    expect(submit(2, said)).toBeDefined()
  })
})

/** Calls of the env to itself that are blocked. */
function own(threads: number) {
  return { env: lab.env.name, threads }
}

/** The daemon's id of a call that was sent. */
function sentId(index: number): number {
  return lab.env.link?.calls[index]?.id ?? 0
}
