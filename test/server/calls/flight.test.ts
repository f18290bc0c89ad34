import { describe, expect, test } from "bun:test"
import { FrameType } from "../../../protocol/frame.ts"
import { ENV_FLIGHT_BYTES_MAX } from "../../../protocol/limits.ts"
import { FakeEnv } from "../../support/fake-env.ts"
import { Lab } from "../../support/lab.ts"

describe("bytes on their way to an env", () => {
  test("beyond the limit keep further calls in the daemon, in every lane, and no other env's", () => {
    const lab = new Lab()
    const { env } = lab
    const thread = env.add("t", { run: "thread", index: 8 })
    const first = lab.submit(1)
    env.flight.bytes += ENV_FLIGHT_BYTES_MAX
    lab.submit(2)
    lab.submit(3, { to: thread })
    expect(env.link?.calls.map(({ id }) => id)).toEqual([first.id])
    expect(env.backlog.calls).toBe(2)
    const other = new FakeEnv()
    lab.submit(4, { to: other.add("g", { index: 1 }) })
    expect(other.link?.calls).toHaveLength(1)
  })

  test("are those of calls without an answer; room for one lane is room for the other", () => {
    const lab = new Lab()
    const { env, dispatcher } = lab
    const thread = env.add("t", { run: "thread", index: 8 })
    const first = lab.submit(1)
    expect(env.flight.bytes).toBe(first.bytes)
    expect(first.bytes).toBeGreaterThan(0)
    env.flight.bytes = ENV_FLIGHT_BYTES_MAX
    const second = lab.submit(2, { to: thread })
    expect(second.state).toBe("waiting")
    env.reply(dispatcher, first.id)
    expect(second.state).toBe("sent")
    expect(env.link?.received(FrameType.call)).toHaveLength(2)
    env.reply(dispatcher, second.id)
    expect(env.flight.bytes).toBe(ENV_FLIGHT_BYTES_MAX - first.bytes)
  })
})
