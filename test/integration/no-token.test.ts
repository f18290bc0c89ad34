import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Daemon } from "../../client/daemon.ts"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { type Stack, startStack } from "../support/stack.ts"

/** A daemon whose token stands in no file, and clients that have not been told it. */
const TOKEN = "given-by-a-variable-0123456789"
let stack: Stack
beforeAll(async () => {
  stack = await startStack({ variables: { BUNHOUSE_TOKEN: TOKEN } })
  await fn((x: unknown) => x, { name: "same" }).to(stack.here)
})
afterAll(() => stack[Symbol.asyncDispose]())

/** By its home alone, without a token once it has looked `same` up. */
async function forgetful(blocking: "spawn" | "resident") {
  const environment: Record<string, string> = { BUNHOUSE_HOME: stack.home, BUNHOUSE_TOKEN: TOKEN }
  const client = new Daemon({ blocking }, environment)
  const same = await client.get<(x: unknown) => unknown>("same")
  delete environment["BUNHOUSE_TOKEN"]
  return { client, same }
}

describe("without the token of a daemon that runs", () => {
  test("requests, jobs, awaited and blocking calls say what is missing, and where it was looked for", async () => {
    expect(existsSync(join(stack.home, "token"))).toBe(false)
    for (const blocking of ["spawn", "resident"] as const) {
      const { client, same } = await forgetful(blocking)
      try {
        const ends = [
          await caught(client.status()),
          await caught(client.job("some").result()),
          await caught(same.async(1)),
          await caught(() => same(1)),
        ]
        for (const error of ends) {
          expect(error).toMatchObject({ code: "UNAUTHENTICATED", ran: "no" })
          expect(error.message).toContain(
            `the daemon at ${stack.url} wants a token, and there is none`,
          )
          expect(error.message).toContain("BUNHOUSE_TOKEN")
          expect(error.message).toContain(join(stack.home, "token"))
        }
      } finally {
        client.close()
      }
    }
  })

  test("a wrong one is another matter", async () => {
    using client = stack.connect({ token: "not-the-token-of-this-daemon" })
    const error = await caught(client.status())
    expect(error).toMatchObject({ code: "UNAUTHENTICATED" })
    expect(error.message).not.toContain("there is none")
  })
})

test("without a token where nobody listens it is said that nobody does", async () => {
  for (const blocking of ["spawn", "resident"] as const) {
    using client = new Daemon(
      { url: "http://127.0.0.1:1", blocking },
      { BUNHOUSE_HOME: stack.home },
    )
    const error = await caught(client.status())
    expect(error).toMatchObject({ code: "NO_DAEMON", ran: "no" })
    expect(error.message).toContain("bunhouse start")
  }
})
