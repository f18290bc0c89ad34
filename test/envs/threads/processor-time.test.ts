import { describe, expect, test } from "bun:test"
import { processorTime } from "../../../envs/threads/processor-time.ts"
import { ownThreadNumber } from "../../../envs/threads/thread-number.ts"

const isLinux = process.platform === "linux"

describe("processorTime()", () => {
  test("tells how long a thread ran, and that it runs, where the system does", () => {
    const before = processorTime(ownThreadNumber())
    const end = performance.now() + 50
    while (performance.now() < end);
    const after = processorTime(ownThreadNumber())
    if (!isLinux) {
      expect([before, after]).toEqual([undefined, undefined])
      return
    }
    expect(after?.isRunnable).toBe(true)
    const ranMs = (after?.ranMs ?? 0) - (before?.ranMs ?? 0)
    expect(ranMs).toBeGreaterThan(0)
    expect(ranMs).toBeLessThan(1_000)
  })

  test("tells of another thread that it sleeps", async () => {
    const worker = new Worker(
      URL.createObjectURL(
        new Blob([
          `import { readlinkSync } from "node:fs"
           postMessage(${isLinux} ? Number(readlinkSync("/proc/thread-self").split("/").at(-1)) : 0)
           Bun.sleepSync(300)`,
        ]),
      ),
    )
    const number = await new Promise<number>((resolve) =>
      worker.addEventListener("message", ({ data }) => resolve(data)),
    )
    let sleeps = processorTime(number)?.isRunnable === false
    for (let i = 0; i < 200 && !sleeps; i++) {
      Bun.sleepSync(1)
      sleeps = processorTime(number)?.isRunnable === false
    }
    expect(sleeps).toBe(isLinux)
    worker.terminate()
  })

  test("is undefined for a thread that there is not", () => {
    expect(processorTime(0)).toBeUndefined()
    expect(processorTime(2 ** 31)).toBeUndefined()
  })
})
