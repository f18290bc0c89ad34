import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { readdirSync, statSync } from "node:fs"
import { readEnvSpec } from "../../../protocol/env-spec.ts"
import { BunhouseError } from "../../../protocol/errors.ts"
import { FrameType } from "../../../protocol/frame.ts"
import type { FunctionInfo } from "../../../protocol/function-spec.ts"
import { Dispatcher } from "../../../server/calls/dispatcher.ts"
import { FunctionRoute } from "../../../server/calls/route.ts"
import { Env } from "../../../server/envs/env.ts"
import { Loader } from "../../../server/envs/loader.ts"
import { caught } from "../../support/caught.ts"
import { FakeCaller } from "../../support/fake-caller.ts"
import { FakeLife } from "../../support/fake-life.ts"
import { partsOf } from "../../support/fake-parts.ts"
import { type TemporaryFolder, temporaryFolder } from "../../support/folder.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { until } from "../../support/until.ts"

const INFO: FunctionInfo = { env: "lab", name: "f", kind: "async", run: "loop", version: "v1" }

let folder: TemporaryFolder
let lives: FakeLife[]
let dispatcher: Dispatcher
let loader: Loader
let env: Env
let route: FunctionRoute
let caller: FakeCaller
/** What the store answers. */
let codeOf: (version: string) => Promise<string | undefined>

beforeEach(() => {
  folder = temporaryFolder()
  lives = []
  caller = new FakeCaller()
  dispatcher = new Dispatcher("boot")
  codeOf = (version) => Promise.resolve(`code of ${version}`)
  loader = new Loader({
    codeOf: (version) => codeOf(version),
    dispatcher,
  })
  const parts = partsOf(dispatcher, loader, {
    start: () => {
      const life = new FakeLife(4, folder.path)
      lives.push(life)
      return life
    },
  })
  env = new Env("lab", readEnvSpec("lab", {}), parts)
  route = new FunctionRoute(env, INFO)
  env.functions.set("f", route)
})
afterEach(() => folder[Symbol.dispose]())

async function ready(count = 1): Promise<FakeLife> {
  const process = env.ready()
  const life = await until(() => lives[count - 1], `life ${count}`)
  life.hello()
  await process
  return life
}

function submit(id: number): void {
  dispatcher.submit(caller, standingOn(batchOf(FrameType.call, { id })), route)
}

describe("Loader.load()", () => {
  test("writes the code to a file that is named by its version, whole and only for its owner (A1)", async () => {
    const life = await ready()
    expect(await loader.load(env, life, INFO)).toBe(0)
    const [request] = life.loads
    expect(request).toMatchObject({ op: "load", index: 0, name: "f", run: "loop" })
    expect(await Bun.file(request?.path ?? "").text()).toBe("code of v1")
    expect(statSync(request?.path ?? "").mode & 0o077).toBe(0)
    expect(readdirSync(folder.join("code"))).toEqual(["v1.mjs"])
  })

  test("does not write a version over, and asks the store once", async () => {
    const life = await ready()
    let reads = 0
    codeOf = (version) => Promise.resolve(`${version} ${++reads}`)
    await loader.load(env, life, INFO)
    await loader.load(env, life, INFO)
    expect(reads).toBe(1)
    expect(life.loads.map(({ index }) => index)).toEqual([0, 1])
  })

  test("twice at once does no harm (A1)", async () => {
    const life = await ready()
    await Promise.all([loader.load(env, life, INFO), loader.load(env, life, INFO)])
    expect(readdirSync(folder.join("code"))).toEqual(["v1.mjs"])
  })

  test("says what to do when the store has lost the code", async () => {
    const life = await ready()
    codeOf = () => Promise.resolve(undefined)
    const error = await caught(loader.load(env, life, INFO))
    expect(error).toMatchObject({ code: "NOT_FOUND", env: "lab", function: "f" })
    expect(error.message).toContain("send it again")
  })
})

describe("Loader.loadWaiting()", () => {
  test("loads once for all calls that wait, and sends them", async () => {
    const life = await ready()
    for (const id of [1, 2, 3]) submit(id)
    await until(() => route.waiting.length === 0, "the calls to be sent")
    life.outbox.flush()
    expect(life.loads).toHaveLength(1)
    expect(life.received).toHaveLength(3)
  })

  test('ends what waits with ran "no" when the code cannot be loaded; the next call tries again', async () => {
    const life = await ready()
    life.onLoad = () => Promise.reject(new BunhouseError("INTERNAL", "odd"))
    submit(1)
    await until(() => caller.endOf(1) !== undefined, "the refusal")
    expect(caller.errorOf(1)).toMatchObject({ code: "INTERNAL", ran: "no" })
    life.onLoad = () => Promise.resolve()
    submit(2)
    await until(() => route.index !== undefined, "the function to be loaded")
    expect(caller.endOf(2)).toBeUndefined()
  })

  test("goes on in the next process when this one ends while the store is read", async () => {
    const first = await ready()
    const slow = Promise.withResolvers<string>()
    codeOf = () => slow.promise
    submit(1)
    first.exit("SIGKILL")
    codeOf = () => Promise.resolve("code")
    const second = await ready(2)
    submit(2)
    await until(() => route.index !== undefined, "the function to be loaded")
    slow.resolve("code")
    second.outbox.flush()
    expect(second.received).toHaveLength(2)
  })

  test("does not lose calls when the process ends and nothing else comes", async () => {
    const first = await ready()
    const slow = Promise.withResolvers<string>()
    codeOf = () => slow.promise
    submit(1)
    first.exit("SIGKILL")
    await until(() => lives.length === 2, "the next process")
    codeOf = () => Promise.resolve("code")
    lives[1]?.hello()
    await until(() => route.index !== undefined, "the function to be loaded")
    slow.resolve("code")
  })

  test("waits while the process cannot be reached, and starts again when it can", async () => {
    const life = await ready()
    life.onLoad = () => {
      life.isReachable = false
      return Promise.reject(new BunhouseError("BROKER_LOST", "the broker is gone"))
    }
    submit(1)
    await until(() => !life.isReachable, "the loss")
    expect(caller.endOf(1)).toBeUndefined()
    life.onLoad = () => Promise.resolve()
    life.isReachable = true
    env.cameBack(life)
    await until(() => route.index !== undefined, "the function to be loaded")
  })

  test("does not put an old version over one that was sent meanwhile", async () => {
    const life = await ready()
    const slow = Promise.withResolvers<void>()
    life.onLoad = () => slow.promise
    submit(1)
    await until(() => life.loads.length === 1, "the old version to be loading")
    route.info = { ...INFO, version: "v2" }
    dispatcher.loaded(route, 77)
    slow.resolve()
    await Bun.sleep(1)
    expect(route.index).toBe(77)
  })
})
