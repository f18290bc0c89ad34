import { expect, test } from "bun:test"
import { runExample } from "../support/example.ts"
import { startStack } from "../support/stack.ts"

test("examples/objects.ts puts, fetches, streams, renames and deletes", async () => {
  await using stack = await startStack()
  const { stdout } = await runExample(stack, "objects.ts")
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
