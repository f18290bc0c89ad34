import { describe, expect, test } from "bun:test"
import { Call } from "../../../server/calls/call.ts"
import { CallQueue } from "../../../server/calls/call-queue.ts"
import { FakeCaller } from "../../support/fake-caller.ts"
import { FakeEnv } from "../../support/fake-env.ts"
import { randomFrom } from "../../support/random.ts"

const route = new FakeEnv().add("f")
const caller = new FakeCaller()

function waitingCall(serial: number, bytes = 10): Call {
  const call = new Call(caller, serial, route, serial)
  call.frame = new Uint8Array(bytes)
  return call
}

function backlogOf(queues: CallQueue[]): { calls: number; bytes: number } {
  const calls = queues.flatMap((queue) => [...queue])
  return {
    calls: calls.length,
    bytes: calls.reduce((sum, { frame }) => sum + (frame?.length ?? 0), 0),
  }
}

describe("CallQueue", () => {
  test("gives calls back in the order in which they came", () => {
    const queue = new CallQueue({ calls: 0, bytes: 0 })
    for (let serial = 0; serial < 5; serial++) queue.push(waitingCall(serial))
    const serials = Array.from({ length: 6 }, () => queue.shift()?.serial)
    expect(serials).toEqual([0, 1, 2, 3, 4, undefined])
  })

  test.each([[0], [1], [2]])("is left by the call at position %p without a trace", (position) => {
    const backlog = { calls: 0, bytes: 0 }
    const queue = new CallQueue(backlog)
    const calls = [0, 1, 2].map((serial) => waitingCall(serial))
    for (const call of calls) queue.push(call)
    const [left] = calls.splice(position, 1)
    if (left !== undefined) queue.remove(left)
    expect(left).toMatchObject({ queue: undefined, next: undefined, previous: undefined })
    expect([...queue]).toEqual(calls)
    expect(queue.length).toBe(2)
    expect(backlog).toEqual({ calls: 2, bytes: 20 })
  })

  test("can be left by the visited call during a walk", () => {
    const queue = new CallQueue({ calls: 0, bytes: 0 })
    for (let serial = 0; serial < 4; serial++) queue.push(waitingCall(serial))
    const visited: number[] = []
    for (const call of queue) {
      visited.push(call.serial)
      queue.remove(call)
    }
    expect(visited).toEqual([0, 1, 2, 3])
    expect(queue.length).toBe(0)
  })

  test("keeps nothing of calls that come and give up while it does not move", () => {
    const queue = new CallQueue({ calls: 0, bytes: 0 })
    queue.push(waitingCall(0))
    const gone = Array.from({ length: 100 }, (_, i) => {
      const call = waitingCall(i + 1)
      queue.push(call)
      queue.remove(call)
      return call
    })
    const held = [...queue]
    expect(held.map(({ serial }) => serial)).toEqual([0])
    expect(held[0]?.next).toBeUndefined()
    expect(gone.some((call) => call.next !== undefined || call.previous !== undefined)).toBe(false)
  })

  test("counts what waits in all queues of an env, whatever comes and goes", () => {
    const random = randomFrom(7)
    const backlog = { calls: 0, bytes: 0 }
    const queues = [new CallQueue(backlog), new CallQueue(backlog)]
    for (let step = 0; step < 3_000; step++) {
      const queue = queues[Math.floor(random() * 2)] ?? queues[0]
      const all = [...(queue ?? [])]
      const what = random()
      if (what < 0.5) queue?.push(waitingCall(step, Math.floor(random() * 100)))
      else if (what < 0.75) queue?.shift()
      else {
        const some = all[Math.floor(random() * all.length)]
        if (some !== undefined) queue?.remove(some)
      }
      expect(queue?.length).toBe([...(queue ?? [])].length)
    }
    expect(backlog).toEqual(backlogOf(queues))
    expect(backlog.calls).toBeGreaterThan(0)
  })
})
