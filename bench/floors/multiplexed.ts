import { pack, unpack } from "msgpackr"
import { createInbox, type Msg, type NatsConnection } from "nats"

/** What one message carries each way: calls, or results, with the ids of their calls. */
type Batch = readonly (readonly [id: number, value: number])[]

/**
 * NATS multiplexed by hand: calls of a tick share a message, and so do their results. The least that many calls in a message cost:
 * no daemon between caller and function, no deadline, no cancel, no errors.
 */
export function multiplexed(connection: NatsConnection): (i: number) => Promise<void> {
  const waiting = new Map<number, (value: number) => void>()
  const reply = createInbox()
  let batch: [id: number, value: number][] = []
  let lastId = 0
  connection.subscribe(reply, {
    callback(_error, message) {
      const results: Batch = unpack(message.data)
      for (const [id, value] of results) {
        waiting.get(id)?.(value)
        waiting.delete(id)
      }
    },
  })
  const flush = () => {
    connection.publish(BATCHES, pack(batch), { reply })
    batch = []
  }
  return async (i) => {
    const id = ++lastId
    if (batch.push([id, i]) === 1) process.nextTick(flush)
    const value = await new Promise<number>((resolve) => waiting.set(id, resolve))
    if (value !== i) throw new Error("a wrong reply")
  }
}

/** The other end of it: calls a function for each call of a batch. */
export function answerBatches(connection: NatsConnection, f: (x: number) => Promise<number>): void {
  const answer = async (message: Msg) => {
    const calls: Batch = unpack(message.data)
    const results = await Promise.all(calls.map(async ([id, value]) => [id, await f(value)]))
    message.respond(pack(results))
  }
  connection.subscribe(BATCHES, { callback: (_error, message) => void answer(message) })
}

const BATCHES = "batches"
