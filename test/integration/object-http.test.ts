import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { connect } from "node:net"
import { BODY_BYTES_MAX, OBJECT_PART_BYTES_MAX } from "../../protocol/limits.ts"
import { ask } from "../support/http.ts"
import { sha256Of } from "../support/object-lab.ts"
import { sayHttp } from "../support/raw-http.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Objects as somebody with `curl` sees them, and clients that break off or lie. */
let stack: Stack
beforeAll(async () => void (stack = await startStack()))
afterAll(() => stack[Symbol.asyncDispose]())

const HELLO = `sha256-${sha256Of("hello")}`

async function begin(): Promise<string> {
  const { json } = await ask(stack, "POST", "/v1/uploads", { body: { type: "bytes" } })
  return /"upload":"([^"]+)"/.exec(JSON.stringify(json))?.[1] ?? "none"
}

describe("an object over HTTP", () => {
  test("is put in one request, listed, fetched, renamed and deleted", async () => {
    const put = await ask(stack, "PUT", "/v1/objects/greeting?ttlMs=0", { body: "hello" })
    expect(put).toMatchObject({
      status: 200,
      json: { object: { object: HELLO, bytes: 5, type: "bytes", names: ["greeting"] } },
    })
    for (const key of ["greeting", HELLO]) {
      const got = await ask(stack, "GET", `/v1/objects/${key}`)
      expect([got.status, got.text]).toEqual([200, "hello"])
      expect(got.headers.get("content-type")).toBe("application/octet-stream")
      expect(JSON.parse(got.headers.get("bunhouse-object") ?? "")).toMatchObject({ object: HELLO })
    }
    const unnamed = await ask(stack, "POST", "/v1/objects", { body: "unnamed" })
    expect(unnamed.json).toMatchObject({ object: { names: [], expiresAt: expect.any(String) } })
    const list = await ask(stack, "GET", "/v1/objects")
    expect(list.json).toMatchObject({ objects: [{ bytes: 5 }, { bytes: 7 }], bytes: 12 })
    const renamed = await ask(stack, "POST", "/v1/objects/greeting/rename", { body: { to: "ü" } })
    expect(renamed.json).toMatchObject({ object: { names: ["ü"] } })
    const info = await ask(stack, "GET", `/v1/objects/${encodeURIComponent("ü")}/info`)
    expect(info.json).toMatchObject({ object: { object: HELLO } })
    const found = await ask(stack, "GET", `/v1/objects/${encodeURIComponent("ü")}`)
    expect(JSON.parse(found.headers.get("bunhouse-object") ?? "")).toMatchObject({ names: ["ü"] })
    expect(await ask(stack, "DELETE", `/v1/objects/${HELLO}`)).toMatchObject({ status: 200 })
    expect(await ask(stack, "GET", `/v1/objects/${HELLO}`)).toMatchObject({
      status: 404,
      json: { error: { code: "NOT_FOUND", ran: "no" } },
    })
  })

  test("that was put as a value is a payload", async () => {
    const headers = { "content-type": "application/msgpack" }
    await ask(stack, "PUT", "/v1/objects/value", { body: new Uint8Array([0, 7]), headers })
    expect(await stack.here.objects.get<number>("value")).toBe(7)
    const got = await ask(stack, "GET", "/v1/objects/value")
    expect([got.text, got.headers.get("content-type")]).toEqual(["\0\x07", "application/msgpack"])
  })

  test.each([
    ["PUT", `/v1/objects/${HELLO}`, 400],
    ["PUT", "/v1/objects/a%2fb", 400],
    ["PUT", "/v1/objects/%ff", 400],
    ["PUT", "/v1/objects/n?ttlMs=-1", 400],
    ["PUT", "/v1/objects/n?ttlMs=9999999999999", 400],
    ["GET", "/v1/objects/never", 404],
    ["GET", "/v1/objects/never/info", 404],
    ["DELETE", "/v1/objects/never", 404],
    ["POST", "/v1/objects/never/rename", 400],
    ["POST", "/v1/uploads", 400],
    ["PUT", "/v1/uploads/never?at=0", 404],
    ["PUT", "/v1/uploads/never?at=x", 400],
    ["POST", "/v1/uploads/never/commit", 400],
  ])("is refused for %s %s", async (method, path, status) => {
    const sendsBody = method === "PUT" || method === "POST"
    const answer = await ask(stack, method, path, sendsBody ? { body: "{}" } : {})
    expect(answer.status).toBe(status)
    expect(answer.json).toMatchObject({ error: { ran: "no" } })
  })

  test("larger than a request may be is refused, and goes in parts", async () => {
    const body = new Uint8Array(BODY_BYTES_MAX + 1)
    expect((await ask(stack, "PUT", "/v1/objects/large", { body })).status).toBe(413)
    const part = new Uint8Array(OBJECT_PART_BYTES_MAX + 1)
    const path = `/v1/uploads/${await begin()}?at=0`
    expect(await ask(stack, "PUT", path, { body: part })).toMatchObject({
      status: 413,
      json: { error: { code: "PAYLOAD_TOO_LARGE" } },
    })
  })
})

describe("an upload over HTTP", () => {
  test("whose part breaks off in the middle takes nothing of it, and goes on", async () => {
    const upload = `/v1/uploads/${await begin()}`
    expect((await ask(stack, "PUT", upload, { body: "one" })).json).toEqual({ bytes: 3 })
    const { host, hostname, port } = new URL(stack.url)
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    const socket = connect(Number(port), hostname).on("close", () => resolve())
    const head = [
      `PUT ${upload}?at=3 HTTP/1.1`,
      `host: ${host}`,
      `authorization: Bearer ${stack.token}`,
    ]
    socket.write(`${head.join("\r\n")}\r\ncontent-length: 3\r\n\r\ntw`, () => socket.destroy())
    await closed
    const again = await until(async () => {
      const answer = await ask(stack, "PUT", `${upload}?at=3`, { body: "two" })
      return answer.status === 200 && answer
    }, "the part to be taken")
    expect(again.json).toEqual({ bytes: 6 })
    const sha256 = sha256Of("onetwo")
    const done = await ask(stack, "POST", `${upload}/commit`, { body: { sha256 } })
    expect(done.json).toMatchObject({ object: { object: `sha256-${sha256}`, bytes: 6 } })
  })

  test("with a wrong hash leaves nothing behind", async () => {
    const before = (await ask(stack, "GET", "/v1/objects")).json
    const upload = `/v1/uploads/${await begin()}`
    await ask(stack, "PUT", upload, { body: "content" })
    const answer = await ask(stack, "POST", `${upload}/commit`, { body: { sha256: sha256Of("x") } })
    expect(answer).toMatchObject({ status: 400, json: { error: { code: "INVALID_ARGUMENT" } } })
    expect((await ask(stack, "GET", "/v1/objects")).json).toEqual(before)
    expect((await ask(stack, "DELETE", upload)).status).toBe(200)
  })
})

describe("a path of objects without the token", () => {
  test("is refused before anything is read", async () => {
    const { host } = new URL(stack.url)
    for (const path of ["/v1/objects", "/v1/objects/x", "/v1/uploads", "/v1/uploads/x/commit"]) {
      for (const method of ["GET", "PUT", "POST", "DELETE"]) {
        expect((await sayHttp(stack, [`${method} ${path} HTTP/1.1`, `host: ${host}`])).status).toBe(
          401,
        )
      }
    }
  })
})
