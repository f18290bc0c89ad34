import { describe, expect, test } from "bun:test"
import { type BrokerConnection, connectBroker } from "../../broker/connection.ts"
import { externalBroker } from "../../broker/external.ts"
import { type Fragment, FragmentJoiner, fragmentsOf } from "../../broker/fragments.ts"
import { BROKER_MESSAGE_BYTES_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { type Cluster, startCluster } from "../support/cluster.ts"
import { until } from "../support/until.ts"

const SUBJECT = "bunhouse.a"
const KIB = 1024

async function connect(cluster: Cluster): Promise<BrokerConnection> {
  const address = externalBroker({ BUNHOUSE_NATS_URL: cluster.url })
  if (address === undefined) throw new Error("expected an address")
  return await connectBroker({ ...address, name: "test", inboxPrefix: "bunhouse.inbox" })
}

/** Of this length, no two parts of it alike, and told apart by `seed`. */
function pattern(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i ^ (i >> 8) ^ (i >> 16) ^ seed) & 0xff)
}

describe("messages over the broker's limit", () => {
  test("arrive whole, in order among short ones, from several senders at once", async () => {
    await using cluster = await startCluster({ config: "max_payload: 64KB" })
    const [reader, one, other] = [
      await connect(cluster),
      await connect(cluster),
      await connect(cluster),
    ]
    expect(reader.maxMessageBytes).toBe(64 * KIB)
    const lengths = [0, 64 * KIB - 256, 64 * KIB, 64 * KIB + 1, 5, 1_000_000, 7, 300_000]
    const seen = new Map<string, Uint8Array[]>([
      ["one", []],
      ["other", []],
    ])
    reader.subscribe("bunhouse.*", (bytes, { subject, reply }) => {
      expect(reply).toBe(`${subject}.answers`)
      seen.get(subject.replace("bunhouse.", ""))?.push(bytes)
    })
    await reader.flush()
    for (const [i, length] of lengths.entries()) {
      one.publish("bunhouse.one", pattern(length, i), "bunhouse.one.answers")
      other.publish("bunhouse.other", pattern(length, 100 + i), "bunhouse.other.answers")
    }
    const isThere = () => [...seen.values()].every((list) => list.length === lengths.length)
    await until(isThere, "all messages")
    for (const [i, length] of lengths.entries()) {
      expect(seen.get("one")?.[i]).toEqual(Buffer.from(pattern(length, i)))
      expect(seen.get("other")?.[i]).toEqual(Buffer.from(pattern(length, 100 + i)))
    }
    for (const connection of [reader, one, other]) await connection.close()
  })

  test("are requests as well; an answer must fit one message", async () => {
    await using cluster = await startCluster()
    const [asker, answerer] = [await connect(cluster), await connect(cluster)]
    answerer.subscribe(SUBJECT, (bytes, { reply }) => {
      const text = bytes.length > 2_000_000 ? bytes : Buffer.from(String(bytes.length))
      answerer.publish(reply ?? "", text)
    })
    await answerer.flush()
    const answer = await asker.request(SUBJECT, pattern(1_500_000), 5_000)
    expect(Buffer.from(answer).toString()).toBe("1500000")
    const error = await caught(asker.request(SUBJECT, pattern(2_500_000), 5_000))
    expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE" })
    const silent = await caught(asker.request("bunhouse.nobody", pattern(1_500_000), 5_000))
    expect(silent).toMatchObject({ code: "UNAVAILABLE" })
    for (const connection of [asker, answerer]) await connection.close()
  })

  test("are refused over the limit of all messages, before anything is sent", async () => {
    await using cluster = await startCluster()
    const connection = await connect(cluster)
    const seen: number[] = []
    connection.subscribe(SUBJECT, (bytes) => void seen.push(bytes.length))
    const long = new Uint8Array(BROKER_MESSAGE_BYTES_MAX + 1)
    const error = await caught(() => connection.publish(SUBJECT, long))
    expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE" })
    connection.publish(SUBJECT, long.subarray(1))
    await until(() => seen.length > 0, "the longest message")
    expect(seen).toEqual([BROKER_MESSAGE_BYTES_MAX])
    await connection.close()
  })
})

describe("FragmentJoiner", () => {
  const three = fragmentsOf(pattern(1_000), 700)

  test("hands on what is whole, and nothing else", () => {
    expect(three).toHaveLength(3)
    const whole = [Buffer.from(pattern(1_000))]
    expect(joined(three, "0 1 2")).toEqual(whole)
    for (const broken of ["0 1", "1 2", "0 2", "0 2 1", "0 1 1 2", "2"]) {
      expect(joined(three, broken)).toEqual([])
    }
    // What is begun anew counts from there.
    expect(joined(three, "0 0 1 2")).toEqual(whole)
  })

  test("forgets all that is not whole when the connection is lost", () => {
    expect(joined(three, "0 1 clear 2")).toEqual([])
  })

  test("takes no more than a message may have", () => {
    const long = fragmentsOf(new Uint8Array(BROKER_MESSAGE_BYTES_MAX + 1), 4096 * KIB)
    expect(joined(long, "0 1 2")).toEqual([])
  })
})

/** What comes of these fragments, by their indices, in this order. */
function joined(fragments: readonly Fragment[], order: string): Uint8Array[] {
  const joiner = new FragmentJoiner()
  return order.split(" ").flatMap((step) => {
    if (step === "clear") joiner.clear()
    const fragment = fragments[Number(step)]
    if (fragment === undefined) return []
    return joiner.join({ data: fragment.bytes, headers: fragment.headers }) ?? []
  })
}
