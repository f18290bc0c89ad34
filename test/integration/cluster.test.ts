import { describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { CLUSTER_AUTHORITY, startCluster } from "../support/cluster.ts"
import { startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

const MIB = 1024 * 1024

describe("a daemon on a NATS cluster of somebody else", () => {
  test("calls by its event loops and threads, streams, keeps jobs and objects, and finds all again", async () => {
    await using cluster = await startCluster()
    await using stack = await startStack({ variables: { BUNHOUSE_NATS_URL: cluster.url } })
    const { broker } = await stack.here.status()
    expect(broker).toMatchObject({ kind: "external", connected: true })
    expect(JSON.stringify(broker)).not.toContain(cluster.password)

    const add = await fn(async function add(a: number, b: number) {
      return a + b
    }).to(stack.here)
    const total = await fn(function total(bytes: Uint8Array) {
      return bytes.reduce((sum, byte) => sum + byte, 0)
    }).to(stack.here)
    const count = await fn(async function* count(to: number) {
      for (let i = 0; i < to; i++) yield new Uint8Array(300_000).fill(i)
    }).to(stack.here)
    expect(await add(1, 2)).toBe(3)
    expect(await total.async(new Uint8Array(900_000).fill(1))).toBe(900_000)
    expect(await total.async(new Uint8Array(9 * MIB).fill(1))).toBe(9 * MIB)
    const seen: unknown[] = []
    for await (const bytes of count(10)) seen.push([bytes.length, bytes[0]])
    expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => [300_000, i]))
    const job = await total.start(new Uint8Array(9 * MIB).fill(1))
    expect(await job.result()).toBe(9 * MIB)
    const ref = await stack.here.objects.put(new Uint8Array(3 * MIB).fill(7))

    await stack.stop()
    await stack.startAgain()
    expect(await add(3, 4)).toBe(7)
    expect(await stack.here.job(job.id).result()).toBe(9 * MIB)
    expect(await stack.here.objects.get(ref)).toEqual(new Uint8Array(3 * MIB).fill(7))
  })

  test("sends values of any size, whatever its messages may have", async () => {
    await using cluster = await startCluster({ config: "max_payload: 100KB" })
    await using stack = await startStack({ variables: { BUNHOUSE_NATS_URL: cluster.url } })
    const echo = await fn(async function echo(bytes: Uint8Array) {
      return bytes
    }).to(stack.here)
    const onThread = await fn(function onThread(bytes: Uint8Array) {
      return bytes
    }).to(stack.here)
    for (const size of [100_000, 102_400, 1 * MIB, 6 * MIB, 9 * MIB]) {
      const bytes = new Uint8Array(size).fill(size % 251)
      const [first, second] = await Promise.all([echo(bytes), onThread.async(bytes)])
      expect(first.length === size && first.every((byte) => byte === size % 251)).toBe(true)
      expect(second.length === size && second.every((byte) => byte === size % 251)).toBe(true)
    }
    const job = await echo.start(new Uint8Array(3 * MIB).fill(5))
    expect((await job.result()).every((byte) => byte === 5)).toBe(true)
    await stack.stop()
    await stack.startAgain()
    expect(await stack.here.job(job.id).result()).toHaveLength(3 * MIB)
  })

  test("carries all that fits a frame where messages may be large, and survives its crash", async () => {
    await using cluster = await startCluster({ config: "max_payload: 8MB, max_pending: 64MB" })
    await using stack = await startStack({ variables: { BUNHOUSE_NATS_URL: cluster.url } })
    const echo = await fn(async function echo(bytes: Uint8Array) {
      return bytes
    }).to(stack.here)
    expect((await echo(new Uint8Array(6 * MIB).fill(3))).every((byte) => byte === 3)).toBe(true)
    await cluster.restart()
    const isBack = async () => (await stack.here.status()).broker.connected
    await until(isBack, "the daemon to be connected again")
    expect(await echo(new Uint8Array(6 * MIB))).toHaveLength(6 * MIB)
  })

  test("speaks TLS to it, in daemon and env processes", async () => {
    await using cluster = await startCluster({ tls: true })
    const variables = { BUNHOUSE_NATS_URL: cluster.url, NODE_EXTRA_CA_CERTS: CLUSTER_AUTHORITY }
    await using stack = await startStack({ variables })
    const add = await fn(async function add(a: number, b: number) {
      return a + b
    }).to(stack.here)
    expect(await add(1, 2)).toBe(3)
    await cluster.restart()
    await until(async () => (await stack.here.status()).broker.connected, "the connection")
    expect(await add(3, 4)).toBe(7)
  })

  test("does not start where its certificate is nobody's whom we trust, nor in plaintext", async () => {
    await using cluster = await startCluster({ tls: true })
    const [unknown, plaintext] = await Promise.all([
      said(cluster.url),
      said(cluster.url.replace("tls:", "nats:")),
    ])
    expect(unknown).toContain("certificate")
    expect(plaintext).toContain("the server speaks TLS")
    expect(unknown + plaintext).not.toContain(cluster.password)
    expect(await cluster.log()).not.toContain(cluster.password)
  })
})

/** How the start of a daemon on `url` ended. */
function said(url: string): Promise<string> {
  return startStack({ variables: { BUNHOUSE_NATS_URL: url } }).then(String, String)
}
