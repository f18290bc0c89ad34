import { expect, test } from "bun:test"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { fn } from "../../client/index.ts"
import { startStack } from "../support/stack.ts"

test("the folder of logs may be deleted while the daemon runs: the next process of an env makes it again", async () => {
  await using stack = await startStack()
  const say = await fn(async function say(text: string) {
    console.log(text)
    return text
  }).to(stack.here)
  expect(await say("before")).toBe("before")
  rmSync(join(stack.home, "logs"), { recursive: true, force: true })
  expect(await say("meanwhile")).toBe("meanwhile")
  await stack.here.env("default").restart()
  expect(await say("after")).toBe("after")
  const log = join(stack.home, "logs", "p-default.log")
  expect(await Bun.file(log).text()).toContain("after")
})
