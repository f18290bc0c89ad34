import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { copyFileSync } from "node:fs"
import { join } from "node:path"
import type { BlockingCall } from "../../client/blocking/blocking-caller.ts"
import { SpawnCaller } from "../../client/blocking/spawn.ts"
import { fn } from "../../client/index.ts"
import { encodeArgs } from "../../protocol/codec/index.ts"
import { caught } from "../support/caught.ts"
import { writeProgram } from "../support/program.ts"
import { type Stack, startStack } from "../support/stack.ts"

/** A daemon behind TLS of an authority of one's own, as a proxy in front of it gives it. */
let stack: Stack
let proxy: Tls
beforeAll(async () => {
  stack = await startStack()
  await fn((x: unknown) => x, { name: "same" }).to(stack.here)
  await fn(
    function* three() {
      yield* [1, 2, 3]
    },
    { name: "three" },
  ).to(stack.here)
  proxy = await startTls(stack.url)
})
afterAll(async () => {
  proxy.child.kill()
  await stack[Symbol.asyncDispose]()
})

interface Tls {
  readonly child: Bun.Subprocess
  readonly url: string
}

/** A process of its own: this one is blocked meanwhile. */
async function startTls(url: string): Promise<Tls> {
  const code = `
    const folder = ${JSON.stringify(FIXTURES)}
    const { hostname, port } = new URL(${JSON.stringify(url)})
    const file = (name) => Bun.file(folder + "/" + name)
    const listener = Bun.listen({
      hostname: "127.0.0.1", port: 0, tls: { cert: file("cert.pem"), key: file("key.pem") },
      socket: {
        open(near) {
          near.data = { early: [] }
          Bun.connect({ hostname, port: Number(port), socket: {
            data: (_, bytes) => void near.write(bytes), close: () => near.end(),
          } }).then((far) => {
            near.data.far = far
            for (const bytes of near.data.early) far.write(bytes)
          })
        },
        data({ data }, bytes) {
          if (data.far) data.far.write(bytes)
          else data.early.push(Buffer.from(bytes))
        },
        close: ({ data }) => data?.far?.end(),
      },
    })
    console.log(listener.port)`
  const child = Bun.spawn([process.execPath, "-e", code], { stdin: "ignore", stdout: "pipe" })
  const { value } = await child.stdout.getReader().read()
  return { child, url: `https://localhost:${Number(Buffer.from(value ?? []).toString())}` }
}

const FIXTURES = join(import.meta.dir, "../fixtures/tls")
const AUTHORITY = join(FIXTURES, "ca.pem")

const WAYS = [["spawn"], ["resident"]] as const
describe.each(WAYS)("over TLS of an authority of one's own, a blocking call (%s)", (blocking) => {
  test.each([
    ["NODE_EXTRA_CA_CERTS", AUTHORITY],
    ["NODE_EXTRA_CA_CERTS", "ca.pem"],
    ["SSL_CERT_FILE", AUTHORITY],
  ])("is made with %s=%s", async (name, value) => {
    using program = writeProgram(
      stack,
      `const own = connect({ blocking: process.env["WAY"] as "spawn" | "resident" })
       const same = await own.get<(x: number) => number>("same")
       const three = await own.get<() => Generator<number>>("three")
       console.log(same(7), [...three()].join())`,
      "connect",
    )
    copyFileSync(AUTHORITY, program.folder.join("ca.pem"))
    const variables = { WAY: blocking, BUNHOUSE_URL: proxy.url, [name]: value }
    const { stdout, stderr } = await program.run({
      ...variables,
      https_proxy: "http://127.0.0.1:1",
    })
    expect({ stdout, stderr }).toEqual({ stdout: "7 1,2,3\n", stderr: "" })
  })
})

/** How a blocking call of `same` ends that is made by a program with these variables. */
function endOf(url: string, environment: Readonly<Record<string, string>>): unknown {
  const { token } = stack
  const call: BlockingCall = {
    names: { env: "default", function: "same" },
    payload: encodeArgs([1]),
    flags: 0,
    extra: new Uint8Array(),
    around: undefined,
    timeoutMs: 5_000,
    wantsLogs: false,
  }
  return new SpawnCaller(() => ({ url, token, environment })).call(call, () => {})
}

describe("where there is no trust nothing was sent, and it is said so", () => {
  test("by a blocking call", () => {
    expect(endOf(proxy.url, { NODE_EXTRA_CA_CERTS: AUTHORITY })).toMatchObject({ value: 1 })
    expect(endOf(proxy.url, {})).toMatchObject({
      thrown: {
        code: "UNAVAILABLE",
        ran: "no",
        message: expect.stringContaining(`no trusted connection to ${proxy.url} (unable to verify`),
      },
    })
    const plain = stack.url.replace("http:", "https:")
    expect(endOf(plain, {})).toMatchObject({ thrown: { code: "UNAVAILABLE", ran: "no" } })
  })

  test("by a request", async () => {
    using client = stack.connect({ url: proxy.url })
    const error = await caught(client.get("same"))
    expect(error).toMatchObject({ code: "UNAVAILABLE", ran: "no" })
    expect(error.message).toContain("NODE_EXTRA_CA_CERTS")
  })

  test("and what Bun says of the variables hides no reason", () => {
    const environment = { NODE_EXTRA_CA_CERTS: "/none", NODE_TLS_REJECT_UNAUTHORIZED: "0" }
    expect(endOf(proxy.url, environment)).toMatchObject({ value: 1 })
    expect(endOf("https://127.0.0.1:1", environment)).toMatchObject({
      thrown: { code: "NO_DAEMON", ran: "no" },
    })
  })
})
