import { expect, test } from "bun:test"
import { sourcePath } from "../../protocol/root.ts"
import { startStack } from "../support/stack.ts"

test("examples/objects.ts puts, fetches, streams, renames and deletes", async () => {
  await using stack = await startStack()
  await using program = Bun.spawn([process.execPath, sourcePath("examples/objects.ts")], {
    env: {
      PATH: process.env["PATH"] ?? "",
      BUNHOUSE_HOME: stack.home,
      BUNHOUSE_URL: stack.url,
      BUNHOUSE_QUIET: "1",
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const [stdout, stderr] = await Promise.all([program.stdout.text(), program.stderr.text()])
  expect({ exitCode: await program.exited, stderr }).toEqual({ exitCode: 0, stderr: "" })
  expect(stdout.trim().split("\n")).toEqual([
    expect.stringMatching(/^put 2 rows as value-sha256-[0-9a-f]{7}$/),
    "the oldest is Ada",
    "streamed 588890 of 588890 bytes",
    'the same object: true [ "birthdays", "births" ]',
    "deleted births true",
    "deleted dates true",
    "deleted numbers true",
    "there is no object",
  ])
  expect(await stack.here.objects.keys()).toEqual([])
}, 30_000)
