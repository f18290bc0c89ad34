import { expect, test } from "bun:test"
import { join } from "node:path"
import { temporaryFolder } from "../support/folder.ts"
import { natsServer } from "../support/nats-server.ts"
import { processesWith } from "../support/processes.ts"
import { until } from "../support/until.ts"

test("examples/durable-job.ts: the job survives kill -9 of env process, broker and daemon", async () => {
  using folder = temporaryFolder()
  const { path } = await natsServer()
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "../../examples/durable-job.ts")],
    {
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: folder.path,
        TMPDIR: folder.path,
        BUNHOUSE_QUIET: "1",
        BUNHOUSE_NATS_SERVER: path,
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  )
  const killer = setTimeout(() => child.kill("SIGKILL"), 55_000)
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()])
  const exitCode = await child.exited
  clearTimeout(killer)
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.any(String) })
  for (const what of ["env process", "broker", "daemon"]) {
    expect(stdout).toMatch(new RegExp(`^killed the ${what} \\(\\d+\\)$`, "m"))
  }
  expect(stdout).toMatch(/^the job monthly-report has succeeded in \d+ attempts$/m)
  await until(() => processesWith(folder.path).length === 0, "an end of all processes")
}, 60_000)
