import { describe, expect, test } from "bun:test"
import { Control } from "../../client/control.ts"
import { Objects } from "../../client/objects.ts"
import { caught } from "../support/caught.ts"
import { sha256Of } from "../support/object-lab.ts"

/** A daemon that sends `body` for an object that is `hello`. */
function startLiar(
  body: string | ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
) {
  const object = `sha256-${sha256Of("hello")}`
  const info = { object, bytes: 5, type: "bytes", names: [], createdAt: "" }
  const server = Bun.serve({
    port: 0,
    development: false,
    hostname: "127.0.0.1",
    fetch: () =>
      new Response(body, { headers: { "bunhouse-object": JSON.stringify(info), ...headers } }),
  })
  const address = { url: `http://127.0.0.1:${server.port}`, token: "x" }
  return {
    object,
    objects: new Objects(new Control(() => address)),
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

describe("what a daemon sends for an object", () => {
  test("is taken when it is the object", async () => {
    await using liar = startLiar("hello")
    expect(Buffer.from(await liar.objects.get<Uint8Array>(liar.object)).toString()).toBe("hello")
  })

  test.each(["hellO", "hell", "", "hello!", "x".repeat(1_000_000)])(
    "is refused when it is %.20p",
    async (body) => {
      await using liar = startLiar(body)
      const { objects, object } = liar
      expect(await caught(objects.get(object))).toMatchObject({ code: "PROTOCOL_ERROR", ran: "no" })
      const stream = await objects.getStream(object)
      expect(await caught(new Response(stream).bytes())).toMatchObject({ code: "PROTOCOL_ERROR" })
    },
  )

  test("is refused when it does not say what it is", async () => {
    await using liar = startLiar("hello", { "bunhouse-object": '{"bytes":99999999999}' })
    expect(await caught(liar.objects.get(liar.object))).toMatchObject({ code: "INVALID_ARGUMENT" })
  })

  test("is UNAVAILABLE when it breaks off", async () => {
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        controller.enqueue(Buffer.from("hel"))
        await Bun.sleep(1)
        controller.error(new Error("broken"))
      },
    })
    await using liar = startLiar(body)
    expect(await caught(liar.objects.get(liar.object))).toMatchObject({ code: "UNAVAILABLE" })
  })
})
