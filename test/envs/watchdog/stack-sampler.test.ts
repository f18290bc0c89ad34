import { afterEach, describe, expect, test } from "bun:test"
import { StackSampler } from "../../../envs/watchdog/stack-sampler.ts"
import { until } from "../../support/until.ts"

const sampler = new StackSampler(1)
afterEach(() => sampler.stop())

function spin(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

function outer(ms: number): void {
  spin(ms)
}

async function lineOf(text: string): Promise<number> {
  const lines = (await Bun.file(import.meta.path).text()).split("\n")
  return lines.findIndex((line) => line.includes(text)) + 1
}

/** What is seen of `run`, which is run until it is seen in a frame that contains `text`. */
function seen(run: () => void, text: string): Promise<readonly string[]> {
  return until(() => {
    sampler.clear()
    run()
    const stack = sampler.take()
    return stack[0]?.includes(text) === true ? stack : undefined
  }, "the thread to be seen")
}

describe("StackSampler", () => {
  test("tells the author's functions with file, line and column, innermost first", async () => {
    sampler.start()
    const [inner, next] = await seen(() => outer(20), "spin ")
    const [spinning, calling] = [await lineOf("while (performance"), await lineOf("  spin(ms)")]
    expect(inner).toStartWith(`spin (${import.meta.path}:${spinning}:`)
    expect(next).toStartWith(`outer (${import.meta.path}:${calling}:`)
  })

  test("leaves out what is native, of Bun or of this library", async () => {
    sampler.start()
    const stack = await seen(() => [20].forEach((ms) => Bun.sleepSync(ms)), import.meta.path)
    for (const frame of stack) expect(frame).not.toMatch(/sleepSync|forEach|node:|bun:/)
  })

  test("forgets what was seen before it was cleared or stopped", async () => {
    sampler.start()
    await seen(() => outer(20), "spin ")
    outer(20)
    sampler.clear()
    expect(sampler.take().join()).not.toContain("outer")
    outer(20)
    sampler.stop()
    sampler.start()
    expect(sampler.take().join()).not.toContain("outer")
  })

  test("sees nothing while it is off", () => {
    outer(20)
    sampler.clear()
    sampler.stop()
    expect(sampler.take()).toEqual([])
  })
})
