import { afterEach, describe, expect, test } from "bun:test"
import { context, runInside, type SurroundingCall, whereAmI } from "../../client/context.ts"
import { Daemon } from "../../client/daemon.ts"
import { refusal } from "../support/sent.ts"

afterEach(() => runInside({ place: "caller", current: () => undefined }))

describe("context()", () => {
  test("outside of a remote function says what it is for", () => {
    expect(whereAmI()).toBe("caller")
    expect(refusal("INVALID_ARGUMENT", context).message).toContain("remote function")
  })

  test("inside of one is that of its call, and of no other after it", () => {
    using here = new Daemon({}, {})
    const current: SurroundingCall = {
      id: 1,
      daemonId: 1,
      blocked: { known: { id: 1, callId: "boot-1" } },
      leftMs: 0,
      hasEnded: false,
      here,
      depth: 0,
      rootCallId: "boot-1",
      idempotencyKey: undefined,
      signal: new AbortController().signal,
      cancellation: new AbortController().signal,
      deadline: undefined,
      callId: "boot-1",
      env: "lab",
      function: "f",
      progress: () => {},
    }
    let running: SurroundingCall | undefined = current
    runInside({ place: "env thread", current: () => running })
    expect(whereAmI()).toBe("env thread")
    expect(context()).toBe(current)
    running = undefined
    refusal("INVALID_ARGUMENT", context)
  })
})
