import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { readEnvSpec } from "../../../protocol/env-spec.ts"
import { BunhouseError } from "../../../protocol/errors.ts"
import { FrameType } from "../../../protocol/frame.ts"
import { FunctionRoute } from "../../../server/calls/route.ts"
import { Dispatcher } from "../../../server/calls/dispatcher.ts"
import type { InstanceRoute } from "../../../server/calls/instance-route.ts"
import { Env } from "../../../server/envs/env.ts"
import { instanceOf, Instances } from "../../../server/envs/instances.ts"
import { Loader } from "../../../server/envs/loader.ts"
import { caught } from "../../support/caught.ts"
import { FakeLife } from "../../support/fake-life.ts"
import { partsOf } from "../../support/fake-parts.ts"
import { type TemporaryFolder, temporaryFolder } from "../../support/folder.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { until } from "../../support/until.ts"

/** Short, so that a test need not wait long; what is held must outlast it many times. */
const ORPHAN_MS = 40

const TYPE = {
  env: "lab",
  name: "C",
  kind: "class",
  run: "loop",
  version: "1",
  members: [],
} as const

let folder: TemporaryFolder
let life: FakeLife
let dispatcher: Dispatcher
let env: Env
let instances: Instances
beforeEach(() => {
  folder = temporaryFolder()
  dispatcher = new Dispatcher("boot")
  const loader = new Loader({
    codeOf: () => Promise.resolve("export default class C {}"),
    dispatcher,
  })
  const parts = partsOf(dispatcher, loader, {
    start: () => {
      life = new FakeLife(4, folder.path)
      life.hello()
      return life
    },
    load: () => Promise.resolve(),
  })
  env = new Env("lab", readEnvSpec("lab", {}), parts)
  instances = new Instances(loader, dispatcher, ORPHAN_MS)
})
afterEach(async () => {
  instances.stop()
  await env.close(new BunhouseError("UNAVAILABLE", "the test ended"), 0)
  folder[Symbol.dispose]()
})

/** Answers what the env process was asked, as soon as it is asked. */
function answerDisposals(): void {
  const timer = setInterval(() => {
    life.outbox.flush()
    for (const { type, id } of life.received.splice(0)) {
      if (type !== FrameType.call) continue
      dispatcher.replies(life, standingOn(batchOf(FrameType.reply, { id, payload: "{}" })))
    }
    if (env.instances.size === 0) clearInterval(timer)
  }, 1)
}

const make = (): Promise<InstanceRoute> => instances.make(env, TYPE, 1_000)
const ensure = (name: string): Promise<InstanceRoute> => instances.ensure(env, TYPE, name, 1_000)

describe("Instances", () => {
  test("loads each instance as one of its own, without touching the store", async () => {
    const [a, b] = [await make(), await make()]
    expect(life.loads).toMatchObject([
      { as: "instance", name: "C", index: a.index },
      { as: "instance", name: "C", index: b.index },
    ])
    expect(instanceOf(env, "lab", a.info.name)).toBe(a)
  })

  test("makes one of a name, however many ask at once (S1)", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => ensure("main")))
    expect(new Set(all).size).toBe(1)
    expect(life.loads).toHaveLength(1)
    expect(instances.named(env, "C", "main")).toBe(await ensure("main"))
    expect(instances.named(env, "D", "main")).toBeUndefined()
    expect(await ensure("other")).not.toBe(all[0])
  })

  test("asks again after a load that failed", async () => {
    await env.ready()
    life.onLoad = () => Promise.reject(new Error("not yet"))
    await Promise.all([ensure("main").catch(() => {}), ensure("main").catch(() => {})])
    expect(life.loads).toHaveLength(1)
    life.onLoad = () => Promise.resolve()
    expect((await ensure("main")).name).toBe("main")
  })

  test("makes nothing in a process that ends meanwhile", async () => {
    await env.ready()
    const first = life
    first.onLoad = async () => first.exit("SIGKILL")
    expect(await caught(make())).toMatchObject({ code: "WORKER_LOST", ran: "no" })
    expect(env.instances.size).toBe(0)
  })

  test("releases: the object disposes of itself, then it is forgotten, once", async () => {
    const instance = await make()
    const { index } = instance
    const released = instances.release(env, instance)
    await instances.release(env, instance)
    expect(instanceOf(env, "lab", instance.info.name).refusal?.code).toBe("STATE_LOST")
    answerDisposals()
    await released
    expect(life.unloaded).toEqual([index ?? -1])
    env.functions.set("C", new FunctionRoute(env, TYPE))
    expect(() => instanceOf(env, "lab", instance.info.name)).toThrow("released")
    expect(() => instanceOf(env, "lab", "D/1")).toThrow('no class "D"')
  })

  test("releases what has no name and nobody holds, and nothing else (S2)", async () => {
    const [orphan, held, named] = [await make(), await make(), await ensure("main")]
    held.hold()
    answerDisposals()
    await until(() => env.instances.size === 2, "the orphan to be released")
    expect(orphan.refusal?.code).toBe("STATE_LOST")
    await Bun.sleep(4 * ORPHAN_MS)
    expect([...env.instances.values()]).toEqual([held, named])
    held.letGo()
    await until(() => env.instances.size === 1, "the other one to be released")
    expect([...env.instances.values()]).toEqual([named])
    env.instances.clear()
  })
})
