import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { HomeLock } from "../../server/lock.ts"
import { temporaryFolder } from "../support/folder.ts"

const LOCK = join(import.meta.dir, "../../server/lock.ts")

/** A process that takes the lock, says so, and keeps it until its stdin ends. */
function holder(path: string) {
  const code = `import { HomeLock } from ${JSON.stringify(LOCK)}
    const lock = HomeLock.take(${JSON.stringify(path)})
    console.log(lock === undefined ? "refused" : "held")
    await Bun.stdin.text()`
  return Bun.spawn([process.execPath, "-e", code], { stdin: "pipe", stdout: "pipe" })
}

describe("HomeLock", () => {
  test("is held by one, and free again once it is let go", () => {
    using folder = temporaryFolder()
    const path = folder.join("lock.db")
    {
      using lock = HomeLock.take(path)
      expect(lock).toBeDefined()
      expect(HomeLock.take(path)).toBeUndefined()
    }
    using again = HomeLock.take(path)
    expect(again).toBeDefined()
  })

  test("is taken back by the system when its process is killed", async () => {
    using folder = temporaryFolder()
    const path = folder.join("lock.db")
    const child = holder(path)
    const { value } = await child.stdout.getReader().read()
    expect(Buffer.from(value ?? new Uint8Array()).toString()).toBe("held\n")
    expect(HomeLock.take(path)).toBeUndefined()
    child.kill("SIGKILL")
    await child.exited
    using lock = HomeLock.take(path)
    expect(lock).toBeDefined()
  })

  test("is given to exactly one of many who ask at once", async () => {
    using folder = temporaryFolder()
    const children = Array.from({ length: 8 }, () => holder(folder.join("lock.db")))
    const said = await Promise.all(
      children.map(async (child) => {
        const { value } = await child.stdout.getReader().read()
        return Buffer.from(value ?? new Uint8Array()).toString()
      }),
    )
    for (const child of children) void child.stdin.end()
    await Promise.all(children.map((child) => child.exited))
    expect(said.toSorted()).toEqual(["held\n", ...Array.from({ length: 7 }, () => "refused\n")])
  })
})
