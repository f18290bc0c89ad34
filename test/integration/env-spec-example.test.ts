import { expect, test } from "bun:test"
import { fn, module } from "../../client/index.ts"
import { temporaryFolder } from "../support/folder.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { runExample } from "../support/example.ts"

// It installs sharp, a package with a native addon, from the registry of this machine's user.
test("examples/image-env.ts resizes a picture in an env with packages of its own", async () => {
  await using stack = await startStack()
  const { stdout: said, stderr: notices } = await runExample(stack, "image-env.ts", {})
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
  await checkStaticImport(stack)
}, 60_000)

/** A file may import the package at its top: the env's own is used, and a module need not even be loaded here. */
async function checkStaticImport(stack: Stack): Promise<void> {
  using folder = temporaryFolder()
  await Bun.write(folder.join("node_modules/sharp/package.json"), `{ "name": "sharp" }`)
  await Bun.write(folder.join("node_modules/sharp/index.js"), `throw new Error("the caller's")`)
  const path = folder.join("pictures.ts")
  await Bun.write(
    path,
    `import sharp from "sharp"
    export async function pixel() {
      const create = { width: 1, height: 1, channels: 3, background: "red" } as const
      return [...await sharp({ create }).raw().toBuffer()]
    }`,
  )
  interface Pictures {
    readonly pixel: () => Promise<number[]>
  }
  const env = stack.here.env("images")
  expect(await (await module<Pictures>(path).to(env)).pixel()).toEqual([255, 0, 0])
  await Bun.write(folder.join("node_modules/sharp/index.js"), `module.exports = "the caller's"`)
  const { pixel }: Pictures = await import(path)
  expect(await (await fn(pixel).to(env))()).toEqual([255, 0, 0])
}
