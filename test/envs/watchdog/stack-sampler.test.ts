import { afterEach, describe, expect, onTestFinished, test } from "bun:test"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
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

  test("leaves out the packages that the env process itself runs, and no others", async () => {
    const folder = await mkdtemp(join(tmpdir(), "bunhouse-sampler-"))
    onTestFinished(() => rm(folder, { recursive: true }))
    const spinIn = async (name: string): Promise<(ms: number) => void> => {
      const path = join(folder, "node_modules", name, "index.ts")
      await Bun.write(path, `export const f = ${String(spin)}`)
      const { f }: { f: (ms: number) => void } = await import(path)
      return f
    }
    const [other, nats] = [await spinIn("other"), await spinIn("@nats-io/nats-core")]
    /** Called by nobody, as the loop calls what it has put off. */
    const seenOf = async (f: (ms: number) => void): Promise<string> => {
      sampler.clear()
      setTimeout(f, 0, 20)
      await Bun.sleep(25)
      return sampler.take().join()
    }
    sampler.start()
    await until(
      async () => (await seenOf(other)).includes("/node_modules/other/"),
      "the package to be seen",
    )
    for (let i = 0; i < 5; i++) expect(await seenOf(nats)).not.toContain("@nats-io")
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
