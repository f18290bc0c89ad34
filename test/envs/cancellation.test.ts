import { describe, expect, test } from "bun:test"
import { Cancellation } from "../../envs/cancellation.ts"

describe("Cancellation", () => {
  test("tells the signal, then every listener, once", () => {
    const cancellation = new Cancellation()
    const heard: string[] = []
    cancellation.addEventListener("abort", () => heard.push("a call"))
    cancellation.addEventListener("abort", () => heard.push("another"))
    const gone = () => heard.push("one that had ended")
    cancellation.addEventListener("abort", gone)
    cancellation.removeEventListener("abort", gone)
    cancellation.signal.addEventListener("abort", () => {
      heard.push(`the function, aborted=${cancellation.aborted}`)
    })
    expect(cancellation.aborted).toBe(false)
    cancellation.abort()
    cancellation.abort()
    expect(heard).toEqual(["the function, aborted=true", "a call", "another"])
  })

  test("goes on when listeners end others, and has a signal that is asked for late", () => {
    const cancellation = new Cancellation()
    const heard: number[] = []
    const listeners = [0, 1, 2].map((i) => () => {
      heard.push(i)
      for (const listener of listeners) cancellation.removeEventListener("abort", listener)
    })
    for (const listener of listeners) cancellation.addEventListener("abort", listener)
    cancellation.abort()
    expect(heard).toEqual([0])
    expect(cancellation.signal.aborted).toBe(true)
    expect(cancellation.signal.reason).toBe(cancellation.reason)
    expect(cancellation.reason.name).toBe("AbortError")
  })
})
