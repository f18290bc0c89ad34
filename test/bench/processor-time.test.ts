import { describe, expect, test } from "bun:test"
import { processorTimeUs } from "../../bench/processor-time.ts"
import { until } from "../support/until.ts"

describe.if(process.platform === "linux")("processorTimeUs()", () => {
  test("grows with what a process computes, in microseconds", () => {
    const before = { all: processorTimeUs(process.pid), own: process.cpuUsage() }
    while (computedUs(before.own) < 50_000);
    const us = processorTimeUs(process.pid) - before.all
    // The system counts what it tells a process in ticks of its own.
    expect(us).toBeGreaterThanOrEqual(30_000)
    expect(us).toBeLessThan(computedUs(before.own) + 20_000)
  })

  test("counts all threads of a process", async () => {
    const code = `new Worker("data:text/javascript,for(;;);"); setTimeout(() => {}, 60_000)`
    await using child = Bun.spawn([process.execPath, "-e", code], { stdout: "ignore" })
    await until(() => processorTimeUs(child.pid) > 300_000, "the thread of the child to compute")
    child.kill("SIGKILL")
  })
})

function computedUs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return user + system
}
