import { expect, test } from "bun:test"
import { sourcePath } from "../../../protocol/root.ts"

/** For a process of its own: whose output is captured stays so. Says how many objects there are more, and what was taken. */
const SCRIPT = `
  import { heapStats } from "bun:jsc"
  import { captureOutput } from ${JSON.stringify(sourcePath("envs/output/capture.ts"))}
  const objects = () => {
    Bun.gc(true)
    return heapStats().objectCount
  }
  objects()
  const taken = []
  const before = objects()
  captureOutput((stream, text) => taken.push(stream, text))
  const captured = objects() - before
  console.log("line")
  process.stderr.write("text")
  await Bun.write(Bun.file(1), [captured, objects() - before, ...taken].join("|"))`

test("output is captured without making the streams and the console of Node, which the first print does", async () => {
  const child = Bun.spawn([process.execPath, "-e", SCRIPT], { stdout: "pipe", stderr: "inherit" })
  const [captured, printed, ...taken] = (await child.stdout.text()).split("|")
  expect(taken).toEqual(["stdout", "line\n", "stderr", "text"])
  expect(Number(captured)).toBeLessThan(1_000)
  expect(Number(printed)).toBeGreaterThan(2_000)
})
