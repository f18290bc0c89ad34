import { Elysia, t } from "elysia"

/** An Elysia server with one echo route; prints its port. */
const server = new Elysia()
  .post("/echo", ({ body }) => body, { body: t.Object({ x: t.Number() }) })
  .listen({ hostname: "127.0.0.1", port: 0 })
console.log(server.server?.port)
