import { expect } from "bun:test"
import type { BunhouseError } from "../../protocol/errors.ts"
import { FrameType } from "../../protocol/frame.ts"
import type { Call } from "../../server/calls/call.ts"
import { Dispatcher } from "../../server/calls/dispatcher.ts"
import { KeyedCalls } from "../../server/idempotency/keyed-calls.ts"
import { Room } from "../../server/payloads/room.ts"
import { StoredPayloads } from "../../server/payloads/stored-payloads.ts"
import { FakeCaller } from "./fake-caller.ts"
import { FakeChunks } from "./fake-chunks.ts"
import { FakeClock } from "./fake-clock.ts"
import { FakeEnv } from "./fake-env.ts"
import { batchOf, standingOn } from "./frames.ts"

/** A dispatcher between a caller and an env that do what a test says. */
export class Lab {
  readonly clock = new FakeClock()
  dispatcher = new Dispatcher("boot", this.clock)
  /** In front of it. */
  readonly desk: KeyedCalls
  /** Where it keeps large results. */
  readonly chunks = new FakeChunks()
  /** Two places on the loop, one on a thread. */
  readonly env = new FakeEnv({ concurrency: 2 })
  /** A function on the loop that is loaded, as number 7. */
  readonly route = this.env.add("f", { index: 7 })
  readonly caller: FakeCaller = new FakeCaller()

  constructor() {
    const { dispatcher, clock, chunks } = this
    const payloads = new StoredPayloads({
      open: () => chunks.open(),
      room: new Room("large results", 1_000),
      mayRemove: () => true,
      log: () => {},
    })
    this.desk = new KeyedCalls({ dispatcher, bootId: "boot", payloads, clock })
  }

  /** Makes a call that is admitted; `id` is the caller's. */
  submit(id: number, { timeoutMs = 0, payload = "args", flags = 0, to = this.route } = {}): Call {
    const frame = standingOn(batchOf(FrameType.call, { id, timeoutMs, payload, flags }))
    const call = this.dispatcher.submit(this.caller, frame, to)
    if (call !== undefined) return call
    throw new Error(`call ${id} was refused: ${this.caller.errorOf(id).message}`)
  }

  /** Makes a call that is not admitted. */
  refused(id: number, { payload = "args", flags = 0, to = this.route } = {}): BunhouseError {
    const frame = standingOn(batchOf(FrameType.call, { id, payload, flags }))
    expect(this.dispatcher.submit(this.caller, frame, to)).toBeUndefined()
    return this.caller.errorOf(id)
  }

  /** Nothing of any call is left anywhere. */
  expectIdle(): void {
    expect(this.dispatcher.callsInFlight).toBe(0)
    expect(this.env.backlog).toEqual({ calls: 0, bytes: 0 })
    expect(this.env.lanes.loop).toMatchObject({ running: 0 })
    expect(this.env.lanes.thread).toMatchObject({ running: 0 })
  }
}
