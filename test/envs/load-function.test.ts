import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { loadFunction } from "../../envs/load-function.ts"
import { caught } from "../support/caught.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"

let folder: TemporaryFolder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

/** What a function that is sent by itself is loaded as. */
const load = (name: string, path: string, index: number) =>
  loadFunction({ name, path, as: "function", export: "default" }, index)

let count = 0
function write(code: string): string {
  const path = folder.join(`m${++count}.mjs`)
  writeFileSync(path, code)
  return path
}

describe("loadFunction()", () => {
  test("gives the default export under the name that it was sent by", async () => {
    const path = write("export default function f(x) { return x + 1 }")
    const { name, call } = await load("then", path, 1)
    expect([name, call(1)]).toEqual(["then", 2])
  })

  test.each([
    ["export default (", "Unexpected"],
    ["throw new RangeError('at the top')", "RangeError: at the top"],
    ["throw null", "null"],
    ["import 'no-such-package'", "no-such-package"],
    ["export const f = 1", "exports no function"],
    ["export default 1", "exports no function"],
    ["await Promise.reject(new Error('later'))", "later"],
  ])("refuses %p and says what is wrong", async (code, reason) => {
    const error = await caught(load("f", write(code), 1))
    expect(error).toMatchObject({ code: "DEPLOY_FAILED", ran: "no" })
    expect(error.message).toContain("f cannot be loaded")
    expect(error.message).toContain(reason)
  })

  test("tries a module that failed anew under another index", async () => {
    const key = `tries-${crypto.randomUUID()}`
    const path = write(
      `const n = (globalThis["${key}"] ?? 0) + 1; globalThis["${key}"] = n;
       if (n < 2) throw new Error("not yet"); export default () => n`,
    )
    expect((await caught(load("f", path, 1))).message).toContain("not yet")
    expect((await load("f", path, 2)).call()).toBe(2)
  })

  test("gives two functions with the same code modules of their own", async () => {
    const path = write("let n = 0; export default () => ++n")
    const [a, b] = [await load("a", path, 1), await load("b", path, 2)]
    expect([a.call(), a.call(), b.call()]).toEqual([1, 2, 1])
  })
})
