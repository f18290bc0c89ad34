import { expect, test } from "bun:test"
import { cls, fn } from "../../client/index.ts"
import { FORCED_ENDS_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { isMarked, startMarks } from "../support/mark.ts"
import { startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

class Counter {
  n = 0
  async add() {
    return ++this.n
  }
}

test("an env process in which many threads were ended by force is replaced when it is idle, and not while it has state", async () => {
  await using stack = await startStack()
  using marks = startMarks()
  const env = stack.here.env("worn", { threads: { max: 4 } })
  const spin = await fn(function spin(mark: string): never {
    require("node:fs").writeFileSync(mark, "")
    for (;;);
  }).to(env)
  const add = await fn(async function add(a: number, b: number) {
    return a + b
  }).to(env)
  const pid = async () => (await env.status())?.pid
  const wear = async () => {
    for (let n = 0; n < FORCED_ENDS_MAX; n += 4) {
      const controller = new AbortController()
      const paths = [1, 2, 3, 4].map(() => marks.next())
      const calls = paths.map((path) =>
        caught(spin.with({ signal: controller.signal }).async(path)),
      )
      await until(() => paths.every((path) => isMarked(path)), "all of them to run")
      controller.abort()
      await Promise.all(calls)
      await until(async () => (await env.status())?.running === 0, "the threads to end")
    }
  }
  const Counters = await cls(Counter).to(env)
  const counter = await Counters.create()
  expect(await counter.add()).toBe(1)
  const first = await pid()
  await wear()
  expect(await counter.add()).toBe(2)
  expect(await pid()).toBe(first)
  await counter.release()
  // Whatever ends next there is an occasion.
  expect(await add(1, 2)).toBe(3)
  await until(async () => (await pid()) !== first, "another process")
  expect(await stack.log()).toContain('"event":"env switched","env":"worn"')
  const second = await pid()
  await wear()
  await until(async () => (await pid()) !== second, "a third process")
  expect(await add(1, 2)).toBe(3)
  expect((await env.status())?.crashes).toBe(0)
}, 30_000)
