import { describe, expect, test } from "bun:test"
import { readBody, readJsonBody } from "../../../server/http/body.ts"
import { caught } from "../../support/caught.ts"

function post(body: string | ReadableStream | null): Request {
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

describe("readJsonBody()", () => {
  test("takes no body for an empty object", async () => {
    expect(await readJsonBody(post(null))).toEqual({})
  })

  test.each([["{"], ["\u0000"], ["undefined"], ["{'a':1}"]])("refuses %p", async (text) => {
    expect(await caught(readJsonBody(post(text)))).toMatchObject({ code: "INVALID_ARGUMENT" })
  })
})
