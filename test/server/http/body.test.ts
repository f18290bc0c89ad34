import { describe, expect, test } from "bun:test"
import { readBody, readJsonBody } from "../../../server/http/body.ts"
import { caught } from "../../support/caught.ts"

function post(body: string | Uint8Array<ArrayBuffer> | ReadableStream | null): Request {
  return new Request("http://localhost/", { method: "POST", body })
}

describe("readBody()", () => {
  test("reads what comes in pieces", async () => {
    const body = new ReadableStream({
      async start(controller) {
        for (const piece of ["a", "b", "c"]) {
          controller.enqueue(Buffer.from(piece))
          await Bun.sleep(1)
        }
        controller.close()
      },
    })
    expect(Buffer.from(await readBody(post(body))).toString()).toBe("abc")
  })

  test("does not wait for ever for a body that drips or stops", async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from("a"))
      },
    })
    const error = await caught(readBody(post(body), 20))
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", ran: "no" })
    expect(error.message).toContain("too slowly")
  })
})

describe("readBody() of too many bytes", () => {
  test.each([
    ["that comes at once", new Uint8Array(101)],
    ["that comes in chunks", chunks(10, 11)],
  ])("refuses a body %s", async (_, body) => {
    const error = await caught(readBody(post(body), 1_000, 100))
    expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "no" })
  })

  test("takes as many as it may", async () => {
    expect(await readBody(post(new Uint8Array(100)), 1_000, 100)).toHaveLength(100)
    expect(await readBody(post(chunks(10, 10)), 1_000, 100)).toHaveLength(100)
  })
})

function chunks(bytes: number, count: number): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (let i = 0; i < count; i++) controller.enqueue(new Uint8Array(bytes))
      controller.close()
    },
  })
}

describe("readJsonBody()", () => {
  test("takes no body for an empty object", async () => {
    expect(await readJsonBody(post(null))).toEqual({})
  })

  test.each([["{"], ["\u0000"], ["undefined"], ["{'a':1}"]])("refuses %p", async (text) => {
    expect(await caught(readJsonBody(post(text)))).toMatchObject({ code: "INVALID_ARGUMENT" })
  })
})
