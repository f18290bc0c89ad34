import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { runStep, type StepOptions } from "../../../server/envs/run-step.ts"
import { type TemporaryFolder, temporaryFolder } from "../../support/folder.ts"
import { processesWith } from "../../support/processes.ts"
import { until } from "../../support/until.ts"

let folder: TemporaryFolder
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder[Symbol.dispose]())

function run(line: string, own: Partial<StepOptions> = {}) {
  return runStep({
    command: ["/bin/sh", "-c", line],
    cwd: folder.path,
    variables: { PATH: process.env["PATH"] ?? "" },
    logFile: folder.join("log"),
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    hide: (text) => text.replaceAll("secret", "***"),
    ...own,
  })
}

const log = () => Bun.file(folder.join("log")).text()

describe("runStep()", () => {
  test("says nothing of success, and logs what was said, on both streams (W3)", async () => {
    const { failure, tail } = await run("echo out secret; echo err >&2; pwd")
    expect(failure).toBeUndefined()
    expect((await log()).split("\n").toSorted()).toEqual(
      ["", "err", "out ***", folder.path].toSorted(),
    )
    expect(tail).toContain("out ***")
  })

  test.each([
    ["exit 3", "exit code 3"],
    ["kill -TERM $$", "SIGTERM"],
    ["no-such-program-at-all", "exit code 127"],
  ])("tells how %j failed", async (line, failure) => {
    expect((await run(line)).failure).toBe(failure)
  })

  test("ends what does not end by itself, with all that it started (W1, W2)", async () => {
    const mark = `600.${Math.random().toString().slice(2)}`
    const { failure } = await run(`sleep ${mark} & sleep ${mark}`, { timeoutMs: 100 })
    expect(failure).toBe("it did not end within 100 ms")
    await until(() => processesWith(`sleep ${mark}`).length === 0, "the end of all")
  })

  test("ends when it is told to, and does not begin when it was told before", async () => {
    const controller = new AbortController()
    const running = run("echo begun; sleep 600", { signal: controller.signal })
    await until(async () => (await log()).includes("begun"), "the command to run")
    controller.abort()
    expect((await running).failure).toBe("it was stopped")
    expect((await run("echo again", { signal: controller.signal })).failure).toBe("it was stopped")
    expect(await log()).not.toContain("again")
  })

  test("leaves nothing running that it started (W2)", async () => {
    const mark = `600.${Math.random().toString().slice(2)}`
    expect((await run(`sleep ${mark} & echo done`)).failure).toBeUndefined()
    await until(() => processesWith(`sleep ${mark}`).length === 0, "the end of what is left")
  })

  test("keeps the end of long output, and lines without end do not pile up", async () => {
    const { tail } = await run("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end")
    expect(tail).toEndWith("the end")
    expect(tail.length).toBeLessThan(3_000)
    expect((await log()).length).toBeGreaterThan(3_000_000)
  })
})
