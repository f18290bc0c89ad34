import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { temporaryFolder } from "../support/folder.ts"
import { sayHttp } from "../support/raw-http.ts"
import { type Stack, startStack } from "../support/stack.ts"

/**
 * Nobody without the token gets in, and no page of a browser: every route, every method, every kind of wrong
 * credentials, over real connections. A function that leaves a mark proves that nothing ran.
 */
const folder = temporaryFolder()
let stack: Stack
let mark: string

beforeAll(async () => {
  stack = await startStack()
  mark = folder.join("mark")
  const leave = await fn(
    async (path: string) => {
      await Bun.write(path, "ran")
    },
    { name: "leave" },
  ).to(stack.here.env("lab"))
  await leave(folder.join("other")) // it does leave marks
})
afterAll(async () => {
  expect(await Bun.file(folder.join("other")).exists()).toBe(true)
  expect(await Bun.file(mark).exists()).toBe(false)
  const { envs } = await stack.here.status()
  expect(envs.map(({ name, functions }) => [name, functions.length])).toEqual([["lab", 1]])
  await stack[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const PATHS = [
  "/health",
  "/ready",
  "/v1/connect",
  "/v1/frames",
  "/v1/status",
  "/v1/shutdown",
  "/v1/objects",
  "/v1/objects/report",
  "/v1/objects/report/info",
  "/v1/objects/report/rename",
  "/v1/uploads",
  "/v1/uploads/1",
  "/v1/uploads/1/commit",
  "/v1/envs",
  "/v1/functions",
  "/v1/envs/lab",
  "/v1/envs/lab/restart",
  "/v1/envs/lab/spec",
  "/v1/envs/lab/ready",
  "/v1/envs/lab/functions/leave",
  "/v1/envs/lab/functions/leave/call",
  "/v1/envs/lab/functions/leave/jobs",
  "/v1/jobs",
  "/v1/jobs/ended",
  "/v1/jobs/x",
  "/v1/jobs/x/result",
  "/v1/jobs/x/logs",
  "/v1/schedules",
  "/v1/schedules/x",
  "/nowhere",
  "/",
  "//v1/status",
  "/v1/status/",
  "/v1/../v1/status",
  "/v1/%73tatus",
]
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]

/** Header lines with credentials that are none. */
function credentials(): [what: string, lines: string[]][] {
  return [
    ["no token", []],
    ["a wrong token", ["authorization: Bearer not-the-token-of-this-daemon"]],
    ["an empty token", ["authorization: Bearer "]],
    ["an empty header", ["authorization:"]],
    ["the token of another scheme", [`authorization: Basic ${stack.token}`]],
    ["the token alone", [`authorization: ${stack.token}`]],
    ["the token in another header", [`x-authorization: Bearer ${stack.token}`]],
    ["the token in a cookie", [`cookie: authorization=Bearer ${stack.token}`]],
    ["two tokens", [`authorization: Bearer wrong`, `authorization: Bearer ${stack.token}`]],
    [
      "the token twice",
      [`authorization: Bearer ${stack.token}`, `authorization: Bearer ${stack.token}`],
    ],
  ]
}

function hostOf(): string {
  return new URL(stack.url).host
}

async function answersTo(path: string, method: string, lines: readonly string[]): Promise<number> {
  const body = JSON.stringify([mark])
  const head = [
    `${method} ${path} HTTP/1.1`,
    `host: ${hostOf()}`,
    "content-type: application/json",
    `content-length: ${body.length}`,
    ...lines,
  ]
  return (await sayHttp(stack, head, body)).status
}

describe("without the token", () => {
  test.each(PATHS.map((path) => [path]))("nothing is done at %s, by any method", async (path) => {
    for (const [what, lines] of credentials()) {
      const answers = await Promise.all(
        METHODS.map(async (method) => [method, await answersTo(path, method, lines)] as const),
      )
      for (const [method, status] of answers) {
        const isLiveness = path === "/health" && method === "GET"
        // The server itself refuses what it takes for no request.
        const expected = isLiveness ? [200] : [401, 400, 405, 501, 0]
        const seen = `${method} ${path} with ${what}: ${status}`
        expect(expected.includes(status) ? seen : `unexpected ${seen}`).toBe(seen)
      }
    }
  })

  test("a token in the URL is none", async () => {
    for (const query of ["token", "access_token", "authorization"]) {
      expect(await answersTo(`/v1/status?${query}=${stack.token}`, "GET", [])).toBe(401)
    }
  })

  test("a header of a megabyte is refused, and the daemon goes on", async () => {
    const lines = [`authorization: Bearer ${"x".repeat(1_000_000)}`]
    const status = await answersTo("/v1/status", "GET", lines)
    expect([0, 400, 401, 431]).toContain(status)
    expect((await stack.here.status()).state).toBe("running")
  })

  test("no WebSocket is opened", async () => {
    const upgrade = [
      `GET /v1/connect HTTP/1.1`,
      `host: ${hostOf()}`,
      "upgrade: websocket",
      "connection: upgrade",
      "sec-websocket-version: 13",
      "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    expect((await sayHttp(stack, upgrade)).status).toBe(401)
    for (const page of ["origin: http://localhost", "sec-fetch-site: cross-site"]) {
      const lines = [...upgrade, `authorization: Bearer ${stack.token}`, page]
      expect((await sayHttp(stack, lines)).status).toBe(403)
    }
  })
})

/** The answer to somebody who has the token. */
async function statusOf(path: string, ...lines: string[]): Promise<number> {
  const authorization = `authorization: Bearer ${stack.token}`
  const answer = await sayHttp(stack, [`GET ${path} HTTP/1.1`, authorization, ...lines])
  return answer.status
}

describe("with the token", () => {
  test("the Host of this machine is served, with any port and in any case", async () => {
    const { port } = new URL(stack.url)
    for (const host of [
      "localhost",
      "127.0.0.1",
      "[::1]",
      "LocalHost",
      `localhost:${port}`,
      "localhost:1",
    ]) {
      expect([host, await statusOf("/v1/status", `host: ${host}`)]).toEqual([host, 200])
    }
  })

  test.each([
    ["evil.example"],
    ["localhost.evil.example"],
    ["localhost."],
    ["127.0.0.1.nip.io"],
    ["user@localhost"],
    ["0.0.0.0"],
    ["127.1"],
    ["[::ffff:127.0.0.1]"],
    ["localhost:7420:7420"],
    ["localhost evil.example"],
  ])(
    "the foreign Host %p is refused: it may be a name that was bent to this machine",
    async (host) => {
      expect([400, 403]).toContain(await statusOf("/v1/status", `host: ${host}`))
      expect([400, 403]).toContain(await statusOf("/health", `host: ${host}`))
    },
  )

  test("neither a missing nor a second Host is served", async () => {
    expect([400, 403]).toContain(await statusOf("/v1/status"))
    expect([400, 403]).toContain(
      await statusOf("/v1/status", "host: localhost", "host: evil.example"),
    )
    expect([400, 403]).toContain(await statusOf("/v1/status", "host: "))
  })

  test("a whole URL in the request line does not make a foreign Host a local one", async () => {
    expect([400, 403]).toContain(await statusOf("http://localhost/v1/status", "host: evil.example"))
    expect([400, 403, 404]).toContain(
      await statusOf("http://evil.example/v1/status", "host: evil.example"),
    )
  })

  test.each([
    ["origin: http://localhost"],
    ["origin: null"],
    ["origin: https://evil.example"],
    ["sec-fetch-site: cross-site"],
    ["sec-fetch-site: same-origin"],
  ])("a page is refused, as told by %p, whatever the method", async (header) => {
    const lines = [header, `authorization: Bearer ${stack.token}`]
    for (const method of ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
      for (const path of ["/v1/status", "/v1/envs/lab", "/v1/envs/lab/functions/leave/call"]) {
        expect(await answersTo(path, method, lines)).toBe(403)
      }
    }
  })

  test("no answer lets a page read it, or a cache keep it", async () => {
    for (const path of ["/health", "/v1/status", "/nowhere"]) {
      const { text } = await sayHttp(stack, [
        `GET ${path} HTTP/1.1`,
        `host: ${hostOf()}`,
        `authorization: Bearer ${stack.token}`,
      ])
      expect(text.toLowerCase()).not.toContain("access-control-")
      expect(text.toLowerCase()).not.toContain("set-cookie")
      expect(text.toLowerCase()).toContain("cache-control: no-store")
    }
  })

  test("another version of the protocol is told so", async () => {
    expect(await statusOf("/v1/status", `host: ${hostOf()}`, "bunhouse-protocol: 999")).toBe(426)
  })
})
