import { PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { beforeEach, describe, expect, test } from "bun:test"
import { Loop } from "../../envs/loop.ts"
import { encodeArgs } from "../../protocol/codec/index.ts"
import { FrameFlag, FrameType } from "../../protocol/frame.ts"
import { FakeSink } from "../support/fake-sink.ts"
import { batchOf, standingOn } from "../support/frames.ts"
import { until } from "../support/until.ts"

let sink: FakeSink
let loop: Loop
beforeEach(() => {
  sink = new FakeSink()
  loop = new Loop(
    { env: "lab", bootId: "boot", ownBootId: "boot.i1", payloadBytesMax: PAYLOAD_BYTES_MAX },
    sink,
  )
})

function run(id: number, call: (...args: unknown[]) => unknown, ...args: unknown[]): void {
  const batch = batchOf(FrameType.call, { id, serial: id, payload: encodeArgs(args) })
  loop.run({ name: "f", version: "1", call }, standingOn(batch))
}

// oxlint-disable-next-line unicorn/no-thenable -- objects that look like promises are what is tested
const THEN = "then"

function withThen(then: PropertyDescriptor): object {
  return Object.defineProperties({}, { [THEN]: then })
}

function refuse(): never {
  throw new Error("no")
}

function answered(id: number) {
  return until(() => sink.answerOf(id), `the answer to call ${id}`)
}

describe("Loop", () => {
  test("answers with what the function returns or throws, now or later (W1)", async () => {
    run(1, (a, b) => [b, a], 1, 2)
    run(2, async (x) => ({ x }), "later")
    run(3, () => {
      throw new RangeError("now")
    })
    run(4, async () => {
      throw new TypeError("later")
    })
    run(5, () => undefined)
    expect(sink.answerOf(1)).toMatchObject({ kind: "value", value: [2, 1] })
    expect(await answered(2)).toMatchObject({ kind: "value", value: { x: "later" } })
    expect(sink.answerOf(3)).toMatchObject({ kind: "thrown", value: new RangeError("now") })
    expect(await answered(4)).toMatchObject({ kind: "thrown", value: new TypeError("later") })
    expect(sink.answerOf(5)).toMatchObject({ kind: "value", value: undefined })
  })

  const oddities: readonly (readonly [what: string, odd: () => unknown, kind: string])[] = [
    ["a thenable", () => withThen({ value: (done: (x: number) => void) => done(1) }), "value"],
    ["a thenable that throws", () => withThen({ value: refuse }), "thrown"],
    ["an object whose `then` cannot be read", () => withThen({ get: refuse }), "thrown"],
    ["a function that cannot be sent", () => () => 1, "failed"],
    [
      "an object whose field throws when it is read",
      () => ({
        get field() {
          throw new Error("no")
        },
      }),
      "failed",
    ],
    ["a rejected promise", () => Promise.reject(new Error("no")), "thrown"],
  ]
  test.each(oddities)(
    "answers once a function that hands out %s (W1)",
    async (_what, odd, kind) => {
      run(1, odd)
      expect((await answered(1)).kind as string).toBe(kind)
      await Bun.sleep(1)
      expect(sink.answerOf(1)).toBeDefined()
    },
  )

  test("answers a call whose arguments cannot be read, and does not run it (Q1)", () => {
    let ran = 0
    const frame = standingOn(batchOf(FrameType.call, { id: 9, payload: "\u0007noise" }))
    loop.run({ name: "f", version: "1", call: () => ran++ }, frame)
    expect(sink.answerOf(9)).toMatchObject({ kind: "failed", value: { ran: "no" } })
    expect(ran).toBe(0)
  })

  test("answers JSON with JSON", () => {
    const flags = FrameFlag.json
    const batch = batchOf(FrameType.call, { id: 1, flags, payload: `{"args":[1,"a"]}` })
    loop.run({ name: "f", version: "1", call: (...args) => args }, standingOn(batch))
    expect(sink.answerOf(1)?.value).toEqual({ ok: true, value: [1, "a"] })
  })

  test("tells each call its own context, across awaits", async () => {
    const look = async () => {
      const before = loop.current()
      await Bun.sleep(1)
      return before === loop.current() ? loop.current()?.callId : "another one"
    }
    run(1, look)
    run(2, look)
    expect([(await answered(1)).value, (await answered(2)).value]).toEqual(["boot-1", "boot-2"])
    expect(loop.current()).toBeUndefined()
  })

  test("cancels the call of an id and no other one, also none that had its slot before", async () => {
    const seen: string[] = []
    const wait = (name: unknown) => {
      const signal = loop.current()?.signal
      return new Promise<void>((resolve) => {
        signal?.addEventListener("abort", () => {
          seen.push(String(name))
          resolve()
        })
      })
    }
    const again = 1 | (1 << 20)
    run(1, wait, "old")
    run(again, wait, "new")
    loop.cancel(1)
    loop.cancel(77)
    expect(seen).toEqual([])
    loop.cancel(again)
    loop.cancel(again)
    expect(seen).toEqual(["new"])
  })

  test("keeps a call cancellable while an older one of its slot ends", async () => {
    const old = Promise.withResolvers<void>()
    const again = 1 | (1 << 20)
    let isAborted = false
    run(1, () => old.promise)
    run(again, () => {
      const signal = loop.current()?.signal
      signal?.addEventListener("abort", () => (isAborted = true))
      return new Promise(() => {})
    })
    old.resolve()
    await answered(1)
    loop.cancel(again)
    expect(isAborted).toBe(true)
  })

  test("tells a call that asks for its signal late that it was cancelled", async () => {
    const asked = Promise.withResolvers<void>()
    run(1, async () => {
      const current = loop.current()
      await asked.promise
      return current?.signal.aborted
    })
    loop.cancel(1)
    asked.resolve()
    expect((await answered(1)).value).toBe(true)
  })

  test("cancels all that run when it is told to, and nothing that has ended", async () => {
    let aborts = 0
    const wait = () => {
      loop.current()?.signal.addEventListener("abort", () => aborts++)
      return new Promise(() => {})
    }
    run(1, wait)
    run(2, wait)
    run(3, () => {
      loop.current()?.signal.addEventListener("abort", () => aborts++)
    })
    loop.cancelAll()
    expect(aborts).toBe(2)
  })
})
