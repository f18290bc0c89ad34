import { expect, test } from "bun:test"
import { join } from "node:path"
import { fn } from "../../client/index.ts"
import { startStack } from "../support/stack.ts"

// It installs sharp, a package with a native addon, from the registry of this machine's user.
test("examples/image-env.ts resizes a picture in an env with packages of its own", async () => {
  await using stack = await startStack()
  const example = Bun.spawn(
    [process.execPath, join(import.meta.dir, "../../examples/image-env.ts")],
    {
      env: {
        PATH: process.env["PATH"] ?? "",
        BUNHOUSE_URL: stack.url,
        BUNHOUSE_TOKEN: stack.token,
        BUNHOUSE_HOME: stack.home,
      },
      stdout: "pipe",
      stderr: "pipe",
    },
  )
  const [said, notices] = await Promise.all([example.stdout.text(), example.stderr.text()])
  // An installation from a warm cache may be over before anybody asks what is going on.
  expect(`${notices}${await stack.log()}`).toContain("installing 1 package")
  expect(said).toContain("from 320 x 200 to 64 x 40\n")
  expect(said).toContain("env images is ready, with sharp 0.35.5, in ")
  // The addon loads in threads as well.
  const onThread = await fn(
    () => {
      const name = "sharp"
      const { versions }: { versions: { sharp: string } } = require(name)
      return versions.sharp
    },
    { name: "onThread" },
  ).to(stack.here.env("images"))
  expect(await onThread.async()).toBe("0.35.5")
}, 60_000)
