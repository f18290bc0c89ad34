import { describe, expect, test } from "bun:test"
import { Pace } from "../../../envs/threads/pace.ts"

const [SHORT, LONG] = [1, 2]

function makePace() {
  const channel = {
    wakes: 0,
    wake() {
      this.wakes++
    },
  }
  let time = 0
  const spend = (ms: number) => void (time += ms)
  return { pace: new Pace(channel, () => time), channel, spend }
}

describe("Pace", () => {
  test("wakes the pool once for many short calls, when there are no more (P1)", () => {
    const { pace, channel, spend } = makePace()
    pace.awake()
    for (let i = 0; i < 10; i++) {
      pace.begins(SHORT)
      spend(0.01)
      pace.answered(SHORT)
    }
    expect(channel.wakes).toBe(0)
    pace.wake()
    expect(channel.wakes).toBe(1)
  })

  test("lets no answer wait long while calls go on (P2)", () => {
    const { pace, channel, spend } = makePace()
    pace.awake()
    for (let i = 0; i < 6; i++) {
      spend(0.15)
      pace.answered(SHORT)
    }
    expect(channel.wakes).toBe(2) // 0.3 ms after the first answer, and after the one that follows the wake
  })

  test("lets no answer wait for a call of a function that took long before (P2)", () => {
    const { pace, channel, spend } = makePace()
    pace.awake()
    pace.begins(LONG)
    spend(1)
    pace.answered(LONG)
    pace.wake()
    const before = channel.wakes
    pace.begins(LONG)
    expect(channel.wakes).toBe(before) // nobody waits
    pace.answered(SHORT)
    pace.begins(LONG)
    expect(channel.wakes).toBe(before + 1)
  })
})
