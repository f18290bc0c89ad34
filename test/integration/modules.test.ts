import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { module } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { writeProgram } from "../support/program.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"
import { sendSignal } from "../support/processes.ts"

let stack: Stack
let folder: TemporaryFolder
beforeAll(async () => {
  folder = temporaryFolder()
  stack = await startStack()
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

type Jobs = typeof import("./fixtures/jobs.ts")
const URL_OF_JOBS = import.meta.resolve("./fixtures/jobs.ts")
const send = (env: string) => module<Jobs>(URL_OF_JOBS).to(stack.here.env(env))

describe("a module", () => {
  test("gives its functions, classes and values, and is not loaded here", async () => {
    const jobs = await send("all")
    expect(await jobs.next()).toBe(1)
    expect(jobs.resize(3)).toBe(6)
    expect(await jobs.resize.async(3, 3)).toBe(9)
    expect(await jobs.identity(["x"])).toEqual(["x"])
    expect(await jobs.default()).toBe("main")
    expect(jobs.LIMITS).toEqual({ max: 10n, since: new Date(0), tags: new Set(["a"]) })
    expect(Reflect.get(globalThis, "jobsLoaded")).toBeUndefined()
    expect(jobs.resize.info).toMatchObject({ name: "jobs.resize", kind: "sync", run: "thread" })
    expect(jobs.next.info).toMatchObject({ name: "jobs.next", kind: "async", run: "loop" })
  })

  test("has nothing local, and its types promise nothing", async () => {
    const jobs = await send("local")
    // @ts-expect-error -- it may be undefined
    expect(() => jobs.resize.local(1)).toThrow(TypeError)
    expect([jobs.default.local, jobs.Tally.local]).toEqual([undefined, undefined])
  })

  test("is one on the loop: what its functions and classes share, they share", async () => {
    const jobs = await send("state")
    await jobs.next()
    await jobs.next()
    await using tally = await jobs.Tally.create(5)
    await using other = await jobs.Tally.create(6)
    expect([await tally.add(1), await other.add(1)]).toEqual([6, 7])
    expect(await jobs.current()).toEqual({ calls: 202, loads: 1 })
    await jobs.change()
    expect(jobs.count).toBe(1)
    expect((await stack.here.getModule<Jobs>("state/jobs")).count).toBe(2)
  })

  test("says of an export that cannot be used which and why, once it is read", async () => {
    const jobs = await send("refused")
    const value = await caught(() => jobs.handler)
    expect(value).toMatchObject({ code: "VALUE_NOT_SENDABLE", path: "result.run" })
    expect(value.message).toContain("the export handler")
    expect([...jobs.steps()]).toEqual([1])
  })

  test("is found again, whole or by export, from another process", async () => {
    await send("found")
    const code = `
      const resize = await here.get<(n: number) => number>("found/jobs.resize")
      const jobs = await here.getModule<{ next(): Promise<number> }>("found/jobs")
      const Tally = await here.getClass<new (n: number) => { add(by: number): Promise<number> }>("found/jobs.Tally")
      await using tally = await Tally.create(1)
      console.log(resize(2), await jobs.next(), await tally.add(1))`
    using program = writeProgram(stack, code, "here")
    const { stdout, stderr } = await program.run()
    expect({ stdout, stderr }).toEqual({ stdout: "4 1 2\n", stderr: "" })
  })

  test("is stored once, and sent once", async () => {
    const jobs = await send("stored")
    const versions = new Set(
      (await stack.here.env("stored").status())?.functions.map(({ version }) => version),
    )
    expect(versions.size).toBe(1)
    await jobs.next()
    // The same version: the module in the env stays as it is.
    expect(await (await send("stored")).next()).toBe(2)
  })

  test("outlives a crash of its env process, as code", async () => {
    const jobs = await send("crash")
    await jobs.next()
    const env = stack.here.env("crash")
    sendSignal((await env.status())?.pid, "SIGKILL")
    await until(async () => (await env.status())?.crashes === 1, "the crash to be noticed")
    expect(await jobs.next()).toBe(1)
    expect(jobs.resize(1)).toBe(2)
    expect((await stack.here.getModule<Jobs>("crash/jobs")).count).toBe(1)
  })

  test("that changes brings new exports and takes old ones away", async () => {
    const path = folder.join("changing.ts")
    const env = stack.here.env("changing")
    await Bun.write(path, "export const a = async () => 1; export const b = () => 2")
    const one = await module<{ a(): Promise<number>; b(): number }>(path).to(env)
    expect([await one.a(), one.b()]).toEqual([1, 2])
    await Bun.write(path, "export const a = async () => 10; export const c = async () => 30")
    const two = await module<{ a(): Promise<number>; c(): Promise<number> }>(path).to(env)
    expect([await two.a(), await two.c(), await one.a()]).toEqual([10, 30, 10])
    expect((await caught(one.b.async())).code).toBe("NOT_FOUND")
    const names = (await env.status())?.functions.map(({ name }) => name).toSorted()
    expect(names).toEqual(["changing", "changing.a", "changing.c"])
  })

  test("that cannot be loaded is refused, and the old one serves", async () => {
    const path = folder.join("broken.ts")
    const env = stack.here.env("broken")
    await Bun.write(path, "export const a = async () => 1")
    const old = await module<{ a(): Promise<number> }>(path).to(env)
    for (const bad of ["throw new RangeError('top')", "export {}"]) {
      await Bun.write(path, bad)
      expect(await caught(module(path).to(env))).toMatchObject({ code: "DEPLOY_FAILED", ran: "no" })
      expect(await old.a()).toBe(1)
    }
  })

  test("can have any name, and no address but that of a file", async () => {
    const jobs = await module<Jobs>(URL_OF_JOBS, { name: "a b" }).to(stack.here.env("named"))
    expect(jobs.next.info.name).toBe("a b.next")
    expect(await jobs.next()).toBe(1)
    for (const url of ["./jobs.ts", "https://example.org/jobs.ts", ""]) {
      expect((await caught(() => module(url))).code).toBe("INVALID_ARGUMENT")
    }
    expect((await caught(() => module(URL_OF_JOBS, { name: "a/b" }))).code).toBe("INVALID_ARGUMENT")
  })
})
