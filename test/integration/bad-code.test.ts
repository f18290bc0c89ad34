import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { moduleCode } from "../../client/code/module-code.ts"
import { type UntypedFunction, fn, module, type RemoteModule } from "../../client/index.ts"
import { paths } from "../../protocol/http.ts"
import { caught } from "../support/caught.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { ask } from "../support/http.ts"
import { type Stack, startStack } from "../support/stack.ts"

/** Files as people write them on bad days, bundled and sent; test/integration/deploy.test.ts has bad code as such. */
let stack: Stack
let folder: TemporaryFolder
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder[Symbol.dispose]())

async function write(files: Readonly<Record<string, string>>): Promise<string> {
  for (const [name, text] of Object.entries(files)) await Bun.write(folder.join(name), text)
  return folder.join("main.ts")
}

type Exports = Record<string, UntypedFunction>

async function send(env: string): Promise<RemoteModule<Exports>> {
  return await module<Exports>(folder.join("main.ts")).to(stack.here.env(env))
}

describe("a module that imports", () => {
  const GOOD = {
    "main.ts": `import { part } from "./part.ts"\nexport const f = async () => part()`,
  }

  test.each([
    ["a syntax error", "const = 5", "FUNCTION_NOT_SENDABLE", "part.ts:1"],
    ["a file that is not there", `import "./gone.ts"`, "FUNCTION_NOT_SENDABLE", "gone.ts"],
    ["a package that is not there", `import "no-such-package"`, "FUNCTION_NOT_SENDABLE", "no-such"],
    ["an export that is not there", "export const other = 1", "FUNCTION_NOT_SENDABLE", "part"],
    ["a throw at the top level", "throw new RangeError('top')", "DEPLOY_FAILED", "RangeError: top"],
    [
      "a rejection at the top level",
      "await Promise.reject(new Error('late'))",
      "DEPLOY_FAILED",
      "late",
    ],
    ["an exit at the top level", "process.exit(3)", "DEPLOY_FAILED", "exit code 3"],
  ] as const)("%s is refused, and the old version serves", async (_, bad, code, reason) => {
    await write({ ...GOOD, "part.ts": "export const part = () => 1" })
    const old = await send("bad")
    const keeps = code === "DEPLOY_FAILED" ? "\nexport const part = () => 2" : ""
    await write({ "part.ts": `${bad}${keeps}` })
    const error = await caught(send("bad"))
    expect(error).toMatchObject({ code, ran: "no" })
    expect(error.message).toContain(reason)
    expect(await old["f"]?.()).toBe(1)
  })

  test("an endless loop is given up at its deadline, and the old version serves", async () => {
    await write({ ...GOOD, "part.ts": "export const part = () => 1" })
    const old = await send("endless")
    const main = await write({ "part.ts": "for (;;);\nexport const part = () => 2" })
    const { code } = await moduleCode(main)
    const headers = { "bunhouse-timeout-ms": "300" }
    const path = paths.module("endless", "main")
    const { status, json } = await ask(stack, "PUT", path, { body: { code }, headers })
    expect(status).toBe(422)
    expect(json).toMatchObject({ error: { code: "DEPLOY_FAILED", ran: "no" } })
    expect(await old["f"]?.()).toBe(1)
  })

  test("what awaits at the top level is ready when it is sent", async () => {
    await write({
      ...GOOD,
      "part.ts": "const slow = await Bun.sleep(20).then(() => 7)\nexport const part = () => slow",
    })
    expect(await (await send("awaits"))["f"]?.()).toBe(7)
  })
})

describe("files that import each other", () => {
  const CIRCLE = {
    "main.ts": `import { isOdd } from "./odd.ts"
      export function isEven(n: number): boolean { return n === 0 || isOdd(n - 1) }`,
    "odd.ts": `import { isEven } from "./main.ts"
      export function isOdd(n: number): boolean { return n !== 0 && isEven(n - 1) }`,
  }

  test("travel as a module and with a function", async () => {
    const main = await write(CIRCLE)
    const remote = await send("circle")
    expect(await remote["isEven"]?.async(10)).toBe(true)
    const { isEven }: { isEven: (n: number) => boolean } = await import(main)
    const single = await fn(isEven).to(stack.here.env("circle"))
    expect([await single.async(7), single(4)]).toEqual([false, true])
  })
})

describe("names that are those of built-ins", () => {
  test("mean what the file says, as exports and inside of it", async () => {
    await write({
      "main.ts": `
        const Map = class { size = 5 }
        const process = { env: { mine: "yes" } }
        export function toString() { return "mine" }
        export async function fetch() { return [new Map().size, process.env.mine] }
        export function constructor() { return toString() }
        const Error = (text: string) => text + "!"
        export { own as Object }
        function own() { return Error("no error") }`,
    })
    const remote = await send("built-ins")
    const call = (name: string): unknown => Reflect.get(remote, name).async()
    expect(await call("toString")).toBe("mine")
    expect(await call("fetch")).toEqual([5, "yes"])
    expect(await call("constructor")).toBe("mine")
    expect(await call("Object")).toBe("no error!")
  })

  test.each(["constructor", "__proto__", "toString", "hasOwnProperty", "fetch"])(
    "such as %s are those of functions as well",
    async (name) => {
      const remote = await fn(async (x: number) => x + 1, { name }).to(stack.here.env("names"))
      expect([await remote(1), remote.info.name]).toEqual([2, name])
    },
  )
})
