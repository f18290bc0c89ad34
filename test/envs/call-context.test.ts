import { PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { describe, expect, test } from "bun:test"
import { RunningCall } from "../../envs/call-context.ts"

const FACTS = {
  env: "lab",
  bootId: "boot",
  ownBootId: "boot.i1",
  payloadBytesMax: PAYLOAD_BYTES_MAX,
}

describe("RunningCall", () => {
  test("knows its call id, env and function", () => {
    const call = new RunningCall(FACTS, "f", 5, 36, 0, () => {})
    expect(call).toMatchObject({ callId: "boot-10", env: "lab", function: "f", id: 5 })
  })

  test("has a deadline where the call has one", () => {
    const before = Date.now()
    const { deadline } = new RunningCall(FACTS, "f", 1, 1, 1_000, () => {})
    expect(deadline?.getTime()).toBeGreaterThanOrEqual(before + 1_000)
    expect(deadline?.getTime()).toBeLessThan(before + 2_000)
    expect(new RunningCall(FACTS, "f", 1, 1, 0, () => {}).deadline).toBeUndefined()
  })

  test("has one signal, which fires once with an AbortError", () => {
    const call = new RunningCall(FACTS, "f", 1, 1, 0, () => {})
    let fired = 0
    call.signal.addEventListener("abort", () => fired++)
    call.cancel()
    call.cancel()
    expect(call.signal.aborted).toBe(true)
    expect(fired).toBe(1)
    expect(call.signal.reason).toMatchObject({ name: "AbortError" })
  })
})
